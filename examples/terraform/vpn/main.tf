# A virtual private gateway, a VPN connection to a site, and its routes in a VPC.
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

variable "sites" {
  type    = list(string)
  default = ["192.168.0.0/16"]
}

resource "aws_vpc" "main" {
  cidr_block           = "10.0.0.0/16"
  enable_dns_hostnames = true
}

resource "aws_route_table" "main" {
  vpc_id           = aws_vpc.main.id
  propagating_vgws = [aws_vpn_gateway.main.id]

  route {
    cidr_block = "172.20.0.0/16"
    gateway_id = aws_vpn_gateway.main.id
  }
}

resource "aws_route_table" "other" {
  vpc_id = aws_vpc.main.id
}

resource "aws_vpn_gateway" "main" {
  vpc_id = aws_vpc.main.id
}

# The same, with the attachment as a resource of its own.
resource "aws_vpc" "second" {
  cidr_block = "10.1.0.0/16"
}

resource "aws_vpn_gateway" "second" {
  amazon_side_asn = 64530
}

resource "aws_vpn_gateway_attachment" "second" {
  vpc_id         = aws_vpc.second.id
  vpn_gateway_id = aws_vpn_gateway.second.id
}

resource "aws_customer_gateway" "site" {
  bgp_asn    = 65000
  ip_address = "192.0.2.1"
  type       = "ipsec.1"
}

resource "aws_vpn_connection" "site" {
  vpn_gateway_id      = aws_vpn_gateway.main.id
  customer_gateway_id = aws_customer_gateway.site.id
  type                = "ipsec.1"
  static_routes_only  = true
  tunnel1_inside_cidr = "169.254.9.0/30"
}

resource "aws_vpn_connection_route" "site" {
  for_each               = toset(var.sites)
  vpn_connection_id      = aws_vpn_connection.site.id
  destination_cidr_block = each.value
}

resource "aws_vpn_gateway_route_propagation" "other" {
  vpn_gateway_id = aws_vpn_gateway.main.id
  route_table_id = aws_route_table.other.id
}

output "table" {
  value = aws_route_table.main.id
}

output "gateway" {
  value = aws_vpn_gateway.main.id
}
