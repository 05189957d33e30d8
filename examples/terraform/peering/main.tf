# Two VPCs of one account, peered and routed on both sides; and one in another region.
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

provider "aws" {
  alias  = "far"
  region = "eu-central-1"
}

variable "resolve" {
  type    = bool
  default = true
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
  blocks = { shop = "10.30.0.0/16", store = "10.40.0.0/16" }
  other  = { shop = "store", store = "shop" }
}

resource "aws_vpc" "both" {
  for_each   = local.blocks
  cidr_block = each.value
  tags       = { Name = each.key }
}

resource "aws_subnet" "both" {
  for_each   = local.blocks
  vpc_id     = aws_vpc.both[each.key].id
  cidr_block = cidrsubnet(each.value, 8, 1)
}

resource "aws_vpc_peering_connection" "main" {
  vpc_id      = aws_vpc.both["shop"].id
  peer_vpc_id = aws_vpc.both["store"].id
  auto_accept = true
  tags        = { Name = "shop to store" }
}

resource "aws_vpc_peering_connection_options" "main" {
  vpc_peering_connection_id = aws_vpc_peering_connection.main.id
  requester {
    allow_remote_vpc_dns_resolution = var.resolve
  }
  accepter {
    allow_remote_vpc_dns_resolution = true
  }
}

resource "aws_route_table" "shop" {
  vpc_id = aws_vpc.both["shop"].id
  route {
    cidr_block                = aws_vpc.both["store"].cidr_block
    vpc_peering_connection_id = aws_vpc_peering_connection.main.id
  }
}

resource "aws_route_table_association" "shop" {
  subnet_id      = aws_subnet.both["shop"].id
  route_table_id = aws_route_table.shop.id
}

resource "aws_route" "back" {
  route_table_id            = aws_vpc.both["store"].main_route_table_id
  destination_cidr_block    = aws_vpc.both["shop"].cidr_block
  vpc_peering_connection_id = aws_vpc_peering_connection.main.id
}

data "aws_vpc_peering_connection" "main" {
  vpc_id      = aws_vpc_peering_connection.main.vpc_id
  peer_vpc_id = aws_vpc_peering_connection.main.peer_vpc_id
  status      = "active"
}

resource "aws_security_group" "both" {
  for_each    = local.blocks
  name        = each.key
  description = "from the other VPC"
  vpc_id      = aws_vpc.both[each.key].id
  ingress {
    from_port   = 80
    to_port     = 80
    protocol    = "tcp"
    cidr_blocks = [local.blocks[local.other[each.key]]]
  }
  egress {
    from_port   = 0
    to_port     = 0
    protocol    = "-1"
    cidr_blocks = ["0.0.0.0/0"]
  }
}

resource "aws_instance" "both" {
  for_each               = local.blocks
  ami                    = data.aws_ami.base.id
  instance_type          = "t3.micro"
  subnet_id              = aws_subnet.both[each.key].id
  vpc_security_group_ids = [aws_security_group.both[each.key].id]
  tags                   = { Name = each.key }
}

output "connection" {
  value = data.aws_vpc_peering_connection.main.id
}

output "instances" {
  value = { for name, each in aws_instance.both : name => { id = each.id, ip = each.private_ip } }
}

# The other region's side accepts by a resource of its own.
resource "aws_vpc" "far" {
  provider   = aws.far
  cidr_block = "10.45.0.0/16"
}

resource "aws_vpc_peering_connection" "far" {
  vpc_id      = aws_vpc.both["shop"].id
  peer_vpc_id = aws_vpc.far.id
  peer_region = "eu-central-1"
}

resource "aws_vpc_peering_connection_accepter" "far" {
  provider                  = aws.far
  vpc_peering_connection_id = aws_vpc_peering_connection.far.id
  auto_accept               = true
}

output "far" {
  value = aws_vpc_peering_connection_accepter.far.accept_status
}
