# What a transit gateway has beside VPCs and routes: a Connect attachment with a peer, a multicast domain,
# and a policy table; and a carrier gateway.
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

# A second apply has another group.
variable "group" {
  type    = string
  default = "224.0.1.5"
}

resource "aws_vpc" "studio" {
  cidr_block = "10.80.0.0/16"
}

resource "aws_subnet" "studio" {
  vpc_id     = aws_vpc.studio.id
  cidr_block = "10.80.1.0/24"
}

resource "aws_network_interface" "each" {
  for_each  = toset(["camera", "screen"])
  subnet_id = aws_subnet.studio.id
}

resource "aws_ec2_transit_gateway" "main" {
  multicast_support               = "enable"
  default_route_table_association = "disable"
  default_route_table_propagation = "disable"
  transit_gateway_cidr_blocks     = ["10.99.0.0/24"]
}

resource "aws_ec2_transit_gateway_vpc_attachment" "studio" {
  transit_gateway_id                              = aws_ec2_transit_gateway.main.id
  vpc_id                                          = aws_vpc.studio.id
  subnet_ids                                      = [aws_subnet.studio.id]
  transit_gateway_default_route_table_association = false
  transit_gateway_default_route_table_propagation = false
}

resource "aws_ec2_transit_gateway_connect" "appliance" {
  transit_gateway_id                              = aws_ec2_transit_gateway.main.id
  transport_attachment_id                         = aws_ec2_transit_gateway_vpc_attachment.studio.id
  transit_gateway_default_route_table_association = false
  transit_gateway_default_route_table_propagation = false
  tags                                            = { Name = "appliance" }
}

resource "aws_ec2_transit_gateway_connect_peer" "appliance" {
  transit_gateway_attachment_id = aws_ec2_transit_gateway_connect.appliance.id
  peer_address                  = "10.80.1.50"
  bgp_asn                       = "65010"
  inside_cidr_blocks            = ["169.254.100.0/29"]
}

resource "aws_ec2_transit_gateway_multicast_domain" "studio" {
  transit_gateway_id     = aws_ec2_transit_gateway.main.id
  static_sources_support = "enable"
  tags                   = { Name = "studio" }
}

resource "aws_ec2_transit_gateway_multicast_domain_association" "studio" {
  subnet_id                           = aws_subnet.studio.id
  transit_gateway_attachment_id       = aws_ec2_transit_gateway_vpc_attachment.studio.id
  transit_gateway_multicast_domain_id = aws_ec2_transit_gateway_multicast_domain.studio.id
}

resource "aws_ec2_transit_gateway_multicast_group_source" "camera" {
  group_ip_address                    = var.group
  network_interface_id                = aws_network_interface.each["camera"].id
  transit_gateway_multicast_domain_id = aws_ec2_transit_gateway_multicast_domain_association.studio.transit_gateway_multicast_domain_id
}

resource "aws_ec2_transit_gateway_multicast_group_member" "screen" {
  group_ip_address                    = var.group
  network_interface_id                = aws_network_interface.each["screen"].id
  transit_gateway_multicast_domain_id = aws_ec2_transit_gateway_multicast_domain_association.studio.transit_gateway_multicast_domain_id
}

resource "aws_ec2_transit_gateway_policy_table" "studio" {
  transit_gateway_id = aws_ec2_transit_gateway.main.id
}

resource "aws_ec2_transit_gateway_policy_table_association" "studio" {
  transit_gateway_attachment_id   = aws_ec2_transit_gateway_vpc_attachment.studio.id
  transit_gateway_policy_table_id = aws_ec2_transit_gateway_policy_table.studio.id
}

resource "aws_ec2_carrier_gateway" "studio" {
  vpc_id = aws_vpc.studio.id
}

output "domain" {
  value = aws_ec2_transit_gateway_multicast_domain.studio.id
}
