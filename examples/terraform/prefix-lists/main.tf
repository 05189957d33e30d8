# Prefix lists: of AWS and of one's own, in groups and in routes; a group of two VPCs.
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

variable "offices" {
  type    = list(string)
  default = ["198.51.100.0/24", "203.0.113.0/24"]
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

resource "aws_vpc_security_group_vpc_association" "other" {
  security_group_id = aws_security_group.web.id
  vpc_id            = aws_vpc.other.id
}

output "offices" {
  value = aws_ec2_managed_prefix_list.offices.id
}

output "s3" {
  value = [data.aws_prefix_list.s3.id, data.aws_ec2_managed_prefix_list.s3.id]
}
