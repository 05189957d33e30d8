# Three VPCs on a transit gateway: two may talk with a third that serves both, and not with each other.
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

# A second apply lets the two talk with each other.
variable "joined" {
  type    = bool
  default = false
}

data "aws_ami" "base" {
  most_recent = true
  owners      = ["amazon"]
  filter {
    name   = "name"
    values = ["gureum-base-*"]
  }
}

locals {
  blocks = { shop = "10.50.0.0/16", store = "10.60.0.0/16", shared = "10.70.0.0/16" }
}

resource "aws_vpc" "each" {
  for_each   = local.blocks
  cidr_block = each.value
  tags       = { Name = each.key }
}

resource "aws_subnet" "each" {
  for_each   = local.blocks
  vpc_id     = aws_vpc.each[each.key].id
  cidr_block = cidrsubnet(each.value, 8, 1)
}

resource "aws_default_route_table" "each" {
  for_each               = local.blocks
  default_route_table_id = aws_vpc.each[each.key].default_route_table_id
  route {
    cidr_block         = "0.0.0.0/0"
    transit_gateway_id = aws_ec2_transit_gateway_vpc_attachment.each[each.key].transit_gateway_id
  }
}

resource "aws_ec2_transit_gateway" "main" {
  description                     = "all VPCs"
  default_route_table_association = "disable"
  default_route_table_propagation = "disable"
  tags                            = { Name = "main" }
}

resource "aws_ec2_transit_gateway_vpc_attachment" "each" {
  for_each                                        = local.blocks
  transit_gateway_id                              = aws_ec2_transit_gateway.main.id
  vpc_id                                          = aws_vpc.each[each.key].id
  subnet_ids                                      = [aws_subnet.each[each.key].id]
  transit_gateway_default_route_table_association = false
  transit_gateway_default_route_table_propagation = false
  tags                                            = { Name = each.key }
}

# One table for those who are served, one for who serves.
resource "aws_ec2_transit_gateway_route_table" "each" {
  for_each           = toset(["served", "serving"])
  transit_gateway_id = aws_ec2_transit_gateway.main.id
  tags               = { Name = each.key }
}

locals {
  table = { shop = "served", store = "served", shared = "serving" }
}

resource "aws_ec2_transit_gateway_route_table_association" "each" {
  for_each                       = local.table
  transit_gateway_attachment_id  = aws_ec2_transit_gateway_vpc_attachment.each[each.key].id
  transit_gateway_route_table_id = aws_ec2_transit_gateway_route_table.each[each.value].id
}

resource "aws_ec2_transit_gateway_route_table_propagation" "served" {
  for_each                       = toset(["shop", "store"])
  transit_gateway_attachment_id  = aws_ec2_transit_gateway_vpc_attachment.each[each.key].id
  transit_gateway_route_table_id = aws_ec2_transit_gateway_route_table.each["serving"].id
}

resource "aws_ec2_transit_gateway_route" "shared" {
  destination_cidr_block         = local.blocks.shared
  transit_gateway_attachment_id  = aws_ec2_transit_gateway_vpc_attachment.each["shared"].id
  transit_gateway_route_table_id = aws_ec2_transit_gateway_route_table.each["served"].id
}

resource "aws_ec2_transit_gateway_route" "joined" {
  for_each                       = var.joined ? toset(["shop", "store"]) : []
  destination_cidr_block         = local.blocks[each.key]
  transit_gateway_attachment_id  = aws_ec2_transit_gateway_vpc_attachment.each[each.key].id
  transit_gateway_route_table_id = aws_ec2_transit_gateway_route_table.each["served"].id
}

resource "aws_ec2_managed_prefix_list" "nowhere" {
  name           = "nowhere"
  address_family = "IPv4"
  max_entries    = 2
  entry {
    cidr = "10.80.0.0/16"
  }
}

resource "aws_ec2_transit_gateway_prefix_list_reference" "nowhere" {
  blackhole                      = true
  prefix_list_id                 = aws_ec2_managed_prefix_list.nowhere.id
  transit_gateway_route_table_id = aws_ec2_transit_gateway_route_table.each["serving"].id
}

# Whoever is served calls out through a NAT gateway of a fourth VPC: a way out for all of them.
resource "aws_vpc" "egress" {
  cidr_block = "10.90.0.0/16"
  tags       = { Name = "egress" }
}

resource "aws_internet_gateway" "egress" {
  vpc_id = aws_vpc.egress.id
}

resource "aws_subnet" "egress" {
  for_each   = { attachment = 1, nat = 2 }
  vpc_id     = aws_vpc.egress.id
  cidr_block = cidrsubnet(aws_vpc.egress.cidr_block, 8, each.value)
  # both in one zone: what comes out of the transit gateway need not leave it
  availability_zone = "ap-northeast-2a"
  tags              = { Name = "egress-${each.key}" }
}

resource "aws_eip" "egress" {
  domain = "vpc"
}

resource "aws_nat_gateway" "egress" {
  allocation_id = aws_eip.egress.id
  subnet_id     = aws_subnet.egress["nat"].id
  depends_on    = [aws_internet_gateway.egress]
}

resource "aws_ec2_transit_gateway_vpc_attachment" "egress" {
  transit_gateway_id                              = aws_ec2_transit_gateway.main.id
  vpc_id                                          = aws_vpc.egress.id
  subnet_ids                                      = [aws_subnet.egress["attachment"].id]
  transit_gateway_default_route_table_association = false
  transit_gateway_default_route_table_propagation = false
  tags                                            = { Name = "egress" }
}

# What comes out of the transit gateway goes to the NAT gateway; the answers, back.
resource "aws_route_table" "egress" {
  for_each = toset(["attachment", "nat"])
  vpc_id   = aws_vpc.egress.id
  tags     = { Name = "egress-${each.key}" }
}

resource "aws_route" "egress_out" {
  route_table_id         = aws_route_table.egress["attachment"].id
  destination_cidr_block = "0.0.0.0/0"
  nat_gateway_id         = aws_nat_gateway.egress.id
}

resource "aws_route" "egress_internet" {
  route_table_id         = aws_route_table.egress["nat"].id
  destination_cidr_block = "0.0.0.0/0"
  gateway_id             = aws_internet_gateway.egress.id
}

resource "aws_route" "egress_back" {
  route_table_id         = aws_route_table.egress["nat"].id
  destination_cidr_block = "10.0.0.0/8"
  transit_gateway_id     = aws_ec2_transit_gateway_vpc_attachment.egress.transit_gateway_id
}

resource "aws_route_table_association" "egress" {
  for_each       = aws_subnet.egress
  subnet_id      = each.value.id
  route_table_id = aws_route_table.egress[each.key].id
}

resource "aws_ec2_transit_gateway_route_table_association" "egress" {
  transit_gateway_attachment_id  = aws_ec2_transit_gateway_vpc_attachment.egress.id
  transit_gateway_route_table_id = aws_ec2_transit_gateway_route_table.each["serving"].id
}

resource "aws_ec2_transit_gateway_route" "egress" {
  destination_cidr_block         = "0.0.0.0/0"
  transit_gateway_attachment_id  = aws_ec2_transit_gateway_vpc_attachment.egress.id
  transit_gateway_route_table_id = aws_ec2_transit_gateway_route_table.each["served"].id
}

# Private addresses that the table does not know are nobody's to call through the NAT gateway.
resource "aws_ec2_transit_gateway_route" "private" {
  destination_cidr_block         = "10.0.0.0/8"
  blackhole                      = true
  transit_gateway_route_table_id = aws_ec2_transit_gateway_route_table.each["served"].id
}

# A second gateway whose defaults are tables of its owner's, peered with the first.
resource "aws_ec2_transit_gateway" "other" {
  amazon_side_asn = 64530
}

resource "aws_ec2_transit_gateway_peering_attachment" "other" {
  transit_gateway_id      = aws_ec2_transit_gateway.main.id
  peer_transit_gateway_id = aws_ec2_transit_gateway.other.id
  peer_account_id         = aws_ec2_transit_gateway.other.owner_id
  peer_region             = "ap-northeast-2"
  tags                    = { Name = "main-other" }
}

resource "aws_ec2_transit_gateway_peering_attachment_accepter" "other" {
  transit_gateway_attachment_id = aws_ec2_transit_gateway_peering_attachment.other.id
  tags                          = { Name = "main-other" }
  # it is associated with the default table, which is free again only once the peering is gone
  depends_on = [aws_ec2_transit_gateway_default_route_table_association.other]
}

resource "aws_ec2_transit_gateway_route" "other" {
  destination_cidr_block         = "10.100.0.0/16"
  transit_gateway_attachment_id  = aws_ec2_transit_gateway_peering_attachment_accepter.other.id
  transit_gateway_route_table_id = aws_ec2_transit_gateway_route_table.each["serving"].id
}

resource "aws_ec2_transit_gateway_route_table" "other" {
  transit_gateway_id = aws_ec2_transit_gateway.other.id
}

resource "aws_ec2_transit_gateway_default_route_table_association" "other" {
  transit_gateway_id             = aws_ec2_transit_gateway.other.id
  transit_gateway_route_table_id = aws_ec2_transit_gateway_route_table.other.id
}

resource "aws_ec2_transit_gateway_default_route_table_propagation" "other" {
  transit_gateway_id             = aws_ec2_transit_gateway.other.id
  transit_gateway_route_table_id = aws_ec2_transit_gateway_route_table.other.id
}

resource "aws_security_group" "each" {
  for_each    = local.blocks
  name        = each.key
  description = "from all VPCs"
  vpc_id      = aws_vpc.each[each.key].id
  ingress {
    from_port   = 80
    to_port     = 80
    protocol    = "tcp"
    cidr_blocks = ["10.0.0.0/8"]
  }
  egress {
    from_port   = 0
    to_port     = 0
    protocol    = "-1"
    cidr_blocks = ["0.0.0.0/0"]
  }
}

resource "aws_instance" "each" {
  for_each               = local.blocks
  ami                    = data.aws_ami.base.id
  instance_type          = "t3.micro"
  subnet_id              = aws_subnet.each[each.key].id
  vpc_security_group_ids = [aws_security_group.each[each.key].id]
  tags                   = { Name = each.key }
}

output "instances" {
  value = { for name, each in aws_instance.each : name => { id = each.id, ip = each.private_ip } }
}
