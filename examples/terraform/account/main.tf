# What an account has in a region unasked, taken over and changed; and its settings.
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

# A second apply changes some of it.
variable "open" {
  type    = bool
  default = false
}

resource "aws_default_vpc" "main" {
  tags = { Name = "default" }
}

resource "aws_default_subnet" "a" {
  availability_zone       = "ap-northeast-2a"
  map_public_ip_on_launch = true
  tags                    = { Name = "default a" }
}

resource "aws_default_vpc_dhcp_options" "main" {}

resource "aws_default_route_table" "main" {
  default_route_table_id = aws_default_vpc.main.default_route_table_id
  tags                   = { Name = "nothing but local" }
}

resource "aws_default_network_acl" "main" {
  default_network_acl_id = aws_default_vpc.main.default_network_acl_id
  dynamic "ingress" {
    for_each = var.open ? [1] : []
    content {
      rule_no    = 100
      action     = "allow"
      protocol   = "-1"
      from_port  = 0
      to_port    = 0
      cidr_block = "0.0.0.0/0"
    }
  }
  # Subnets that nobody names stay with their default ACL.
  lifecycle {
    ignore_changes = [subnet_ids]
  }
}

# Without rules: who forgets to name a group reaches nothing.
resource "aws_default_security_group" "main" {
  vpc_id = aws_default_vpc.main.id
}

resource "aws_ebs_default_kms_key" "main" {
  key_arn = "arn:aws:kms:ap-northeast-2:123456789012:key/11111111-2222-3333-4444-555555555555"
}

resource "aws_ebs_encryption_by_default" "main" {
  enabled = var.open
}

resource "aws_ebs_snapshot_block_public_access" "main" {
  state = "block-all-sharing"
}

resource "aws_ec2_image_block_public_access" "main" {
  state = "block-new-sharing"
}

resource "aws_ec2_instance_metadata_defaults" "main" {
  http_tokens                 = "required"
  http_put_response_hop_limit = 1
}

resource "aws_ec2_serial_console_access" "main" {
  enabled = true
}

resource "aws_ec2_default_credit_specification" "main" {
  instance_family = "t3"
  cpu_credits     = "standard"
}

# Nothing in the region uses internet gateways but the default VPC.
resource "aws_vpc_block_public_access_options" "main" {
  internet_gateway_block_mode = var.open ? "block-ingress" : "block-bidirectional"
}

resource "aws_vpc_block_public_access_exclusion" "main" {
  vpc_id                          = aws_default_vpc.main.id
  internet_gateway_exclusion_mode = var.open ? "allow-bidirectional" : "allow-egress"
}

output "vpc" {
  value = aws_default_vpc.main.id
}
