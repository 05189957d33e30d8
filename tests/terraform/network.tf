# Prefix lists, DHCP options, reservations, delegated prefixes, shared groups, NAT with two addresses,
# flow logs, traffic mirroring.
terraform {
  required_providers {
    aws = {
      source = "hashicorp/aws"
    }
  }
}

variable "endpoint" {
  type = string
}

variable "offices" {
  type    = list(string)
  default = ["198.51.100.0/24", "203.0.113.0/24"]
}

provider "aws" {
  region                      = "ap-northeast-2"
  access_key                  = "test"
  secret_key                  = "test"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  endpoints {
    ec2 = var.endpoint
    sts = var.endpoint
    iam = var.endpoint
  }
}

resource "aws_vpc" "main" {
  cidr_block = "10.0.0.0/16"
}

resource "aws_vpc" "other" {
  cidr_block = "10.1.0.0/16"
}

resource "aws_subnet" "main" {
  vpc_id     = aws_vpc.main.id
  cidr_block = "10.0.1.0/24"
}

resource "aws_internet_gateway" "main" {
  vpc_id = aws_vpc.main.id
}

# --- prefix lists
data "aws_prefix_list" "s3" {
  name = "com.amazonaws.ap-northeast-2.s3"
}

data "aws_ec2_managed_prefix_list" "s3" {
  name = "com.amazonaws.ap-northeast-2.s3"
}

resource "aws_ec2_managed_prefix_list" "offices" {
  name           = "offices"
  address_family = "IPv4"
  max_entries    = 5
  dynamic "entry" {
    for_each = var.offices
    content {
      cidr        = entry.value
      description = "office ${entry.key}"
    }
  }
}

resource "aws_ec2_managed_prefix_list" "partners" {
  name           = "partners"
  address_family = "IPv4"
  max_entries    = 5
}

resource "aws_ec2_managed_prefix_list_entry" "partner" {
  count          = 3
  cidr           = "192.0.2.${count.index * 16}/28"
  prefix_list_id = aws_ec2_managed_prefix_list.partners.id
}

resource "aws_security_group" "web" {
  name        = "web"
  description = "web"
  vpc_id      = aws_vpc.main.id
  egress {
    from_port       = 443
    to_port         = 443
    protocol        = "tcp"
    prefix_list_ids = [data.aws_prefix_list.s3.id]
  }
}

resource "aws_vpc_security_group_ingress_rule" "offices" {
  security_group_id = aws_security_group.web.id
  ip_protocol       = "tcp"
  from_port         = 80
  to_port           = 80
  prefix_list_id    = aws_ec2_managed_prefix_list.offices.id
}

resource "aws_route_table" "main" {
  vpc_id = aws_vpc.main.id
}

resource "aws_route" "offices" {
  route_table_id             = aws_route_table.main.id
  destination_prefix_list_id = aws_ec2_managed_prefix_list.offices.id
  gateway_id                 = aws_internet_gateway.main.id
}

# --- the rest
resource "aws_vpc_security_group_vpc_association" "other" {
  security_group_id = aws_security_group.web.id
  vpc_id            = aws_vpc.other.id
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

resource "aws_network_interface" "node" {
  subnet_id         = aws_subnet.main.id
  private_ips       = ["10.0.1.10"]
  ipv4_prefix_count = 1
  depends_on        = [aws_ec2_subnet_cidr_reservation.pods]
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
  domain_name   = "mail.example.com"
}

output "offices" {
  value = aws_ec2_managed_prefix_list.offices.id
}

output "prefix" {
  value = one(aws_network_interface.node.ipv4_prefixes)
}

output "s3" {
  value = [data.aws_prefix_list.s3.id, data.aws_ec2_managed_prefix_list.s3.id]
}

# --- flow logs
resource "aws_flow_log" "group" {
  vpc_id                   = aws_vpc.main.id
  traffic_type             = "ALL"
  iam_role_arn             = "arn:aws:iam::123456789012:role/flow-logs"
  log_destination          = "arn:aws:logs:ap-northeast-2:123456789012:log-group:flows"
  max_aggregation_interval = 60
  tags = {
    Name = "watch"
  }
}

resource "aws_flow_log" "bucket" {
  subnet_id            = aws_subnet.main.id
  traffic_type         = "REJECT"
  log_destination_type = "s3"
  log_destination      = "arn:aws:s3:::flows/here/"
  log_format           = "$${srcaddr} $${dstaddr} $${tcp-flags}"
  destination_options {
    file_format                = "plain-text"
    hive_compatible_partitions = true
    per_hour_partition         = true
  }
}

# --- traffic mirroring
resource "aws_network_interface" "mirror" {
  count     = 2
  subnet_id = aws_subnet.main.id
}

resource "aws_ec2_traffic_mirror_target" "sink" {
  network_interface_id = aws_network_interface.mirror[0].id
  description          = "sink"
}

resource "aws_ec2_traffic_mirror_filter" "web" {
  description      = "web"
  network_services = ["amazon-dns"]
}

resource "aws_ec2_traffic_mirror_filter_rule" "web" {
  traffic_mirror_filter_id = aws_ec2_traffic_mirror_filter.web.id
  traffic_direction        = "ingress"
  rule_number              = 1
  rule_action              = "accept"
  protocol                 = 6
  source_cidr_block        = "10.0.0.0/8"
  destination_cidr_block   = "10.0.0.0/8"
  destination_port_range {
    from_port = 80
    to_port   = 443
  }
}

resource "aws_ec2_traffic_mirror_session" "web" {
  network_interface_id     = aws_network_interface.mirror[1].id
  traffic_mirror_filter_id = aws_ec2_traffic_mirror_filter.web.id
  traffic_mirror_target_id = aws_ec2_traffic_mirror_target.sink.id
  session_number           = 1
}
