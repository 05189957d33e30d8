# Addresses of all sorts: DHCP options, reservations, delegated prefixes, a NAT gateway with several
# addresses, a name for mail.
terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.0"
    }
  }
}

provider "aws" {
  region = "ap-northeast-2"
}

# A second apply gives the mail server's address another name.
variable "mail" {
  type    = string
  default = "mail.example.com"
}

resource "aws_vpc" "main" {
  cidr_block                       = "10.0.0.0/16"
  assign_generated_ipv6_cidr_block = true
}

resource "aws_subnet" "main" {
  vpc_id          = aws_vpc.main.id
  cidr_block      = "10.0.1.0/24"
  ipv6_cidr_block = cidrsubnet(aws_vpc.main.ipv6_cidr_block, 8, 1)
}

resource "aws_internet_gateway" "main" {
  vpc_id = aws_vpc.main.id
}

resource "aws_vpc_dhcp_options" "corp" {
  domain_name          = "corp.example"
  domain_name_servers  = ["10.0.1.53", "AmazonProvidedDNS"]
  ntp_servers          = ["169.254.169.123"]
  netbios_node_type    = 2
  netbios_name_servers = ["10.0.1.9"]
}

resource "aws_vpc_dhcp_options_association" "corp" {
  vpc_id          = aws_vpc.main.id
  dhcp_options_id = aws_vpc_dhcp_options.corp.id
}

resource "aws_ec2_subnet_cidr_reservation" "pods" {
  subnet_id        = aws_subnet.main.id
  cidr_block       = "10.0.1.64/26"
  reservation_type = "prefix"
  description      = "pods"
}

resource "aws_ec2_subnet_cidr_reservation" "pods6" {
  subnet_id        = aws_subnet.main.id
  cidr_block       = cidrsubnet(aws_subnet.main.ipv6_cidr_block, 8, 7)
  reservation_type = "prefix"
}

resource "aws_network_interface" "node" {
  subnet_id         = aws_subnet.main.id
  private_ips       = ["10.0.1.10"]
  ipv4_prefix_count = 1
  ipv6_prefix_count = 1
  depends_on        = [aws_ec2_subnet_cidr_reservation.pods, aws_ec2_subnet_cidr_reservation.pods6]
}

# The hundredth /80 of the subnet.
resource "aws_network_interface" "router" {
  subnet_id     = aws_subnet.main.id
  private_ips   = ["10.0.1.11"]
  ipv6_prefixes = [cidrsubnet(aws_subnet.main.ipv6_cidr_block, 16, 100)]
}

resource "aws_network_interface_permission" "guest" {
  network_interface_id = aws_network_interface.node.id
  aws_account_id       = "210987654321"
  permission           = "INSTANCE-ATTACH"
}

resource "aws_eip" "nat" {
  count  = 2
  domain = "vpc"
}

resource "aws_nat_gateway" "main" {
  allocation_id                  = aws_eip.nat[0].id
  secondary_allocation_ids       = [aws_eip.nat[1].id]
  secondary_private_ip_addresses = ["10.0.1.30"]
  subnet_id                      = aws_subnet.main.id
  depends_on                     = [aws_internet_gateway.main]
}

resource "aws_eip" "mail" {
  domain = "vpc"
}

resource "aws_eip_domain_name" "mail" {
  allocation_id = aws_eip.mail.allocation_id
  domain_name   = var.mail
}

output "prefix" {
  value = one(aws_network_interface.node.ipv4_prefixes)
}

output "prefixes6" {
  value = {
    block  = aws_subnet.main.ipv6_cidr_block
    node   = one(aws_network_interface.node.ipv6_prefixes)
    router = one(aws_network_interface.router.ipv6_prefixes)
  }
}
