# A transit gateway, a prefix list and a subnet of one account, used by another: the owner accepts
# its VPC.
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

# The other account, by its own credentials: in AWS rather by a profile or a role.
provider "aws" {
  alias      = "other"
  region     = "ap-northeast-2"
  access_key = var.other_access_key
  secret_key = var.other_secret_key
}

variable "other_access_key" {
  type    = string
  default = "222222222222"
}

variable "other_secret_key" {
  type    = string
  default = "test"
}

variable "offices" {
  type    = list(string)
  default = ["198.51.100.0/24"]
}

data "aws_caller_identity" "own" {}

data "aws_caller_identity" "other" {
  provider = aws.other
}

# --- the owner ----------------------------------------------------------------------------------
resource "aws_ec2_managed_prefix_list" "offices" {
  name           = "offices"
  address_family = "IPv4"
  max_entries    = 5
  dynamic "entry" {
    for_each = var.offices
    content {
      cidr = entry.value
    }
  }
}

resource "aws_ec2_transit_gateway" "hub" {
  description = "hub"
  tags        = { Name = "hub" }
}

resource "aws_vpc" "shared" {
  cidr_block = "10.60.0.0/16"
  tags       = { Name = "shared" }
}

resource "aws_subnet" "shared" {
  vpc_id     = aws_vpc.shared.id
  cidr_block = "10.60.1.0/24"
  tags       = { Name = "shared" }
}

# What the other account may call: it names the group in a rule, and does not see it.
resource "aws_security_group" "store" {
  name   = "store"
  vpc_id = aws_vpc.shared.id
}

resource "aws_ram_resource_share" "ours" {
  name                      = "ours"
  allow_external_principals = true
  tags                      = { Team = "network" }
}

resource "aws_ram_resource_association" "offices" {
  resource_arn       = aws_ec2_managed_prefix_list.offices.arn
  resource_share_arn = aws_ram_resource_share.ours.arn
}

resource "aws_ram_resource_association" "hub" {
  resource_arn       = aws_ec2_transit_gateway.hub.arn
  resource_share_arn = aws_ram_resource_share.ours.arn
}

resource "aws_ram_resource_association" "shared" {
  resource_arn       = aws_subnet.shared.arn
  resource_share_arn = aws_ram_resource_share.ours.arn
}

resource "aws_ram_principal_association" "other" {
  principal          = data.aws_caller_identity.other.account_id
  resource_share_arn = aws_ram_resource_share.ours.arn
}

resource "aws_ec2_transit_gateway_vpc_attachment_accepter" "other" {
  transit_gateway_attachment_id = aws_ec2_transit_gateway_vpc_attachment.other.id
}

# --- the other account --------------------------------------------------------------------------
resource "aws_ram_resource_share_accepter" "ours" {
  provider  = aws.other
  share_arn = aws_ram_principal_association.other.resource_share_arn

  depends_on = [
    aws_ram_resource_association.offices,
    aws_ram_resource_association.hub,
    aws_ram_resource_association.shared,
  ]
}

resource "aws_vpc" "other" {
  provider   = aws.other
  cidr_block = "10.50.0.0/16"
}

resource "aws_subnet" "other" {
  provider   = aws.other
  vpc_id     = aws_vpc.other.id
  cidr_block = "10.50.1.0/24"
}

resource "aws_ec2_transit_gateway_vpc_attachment" "other" {
  provider           = aws.other
  transit_gateway_id = aws_ec2_transit_gateway.hub.id
  vpc_id             = aws_vpc.other.id
  subnet_ids         = [aws_subnet.other.id]

  depends_on = [aws_ram_resource_share_accepter.ours]
}

resource "aws_security_group" "web" {
  provider = aws.other
  name     = "web"
  vpc_id   = aws_vpc.other.id
}

resource "aws_vpc_security_group_ingress_rule" "offices" {
  provider          = aws.other
  security_group_id = aws_security_group.web.id
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  prefix_list_id    = aws_ec2_managed_prefix_list.offices.id

  depends_on = [aws_ram_resource_share_accepter.ours]
}

# A route needs the attachment to be accepted.
resource "aws_route" "hub" {
  provider               = aws.other
  route_table_id         = aws_vpc.other.main_route_table_id
  destination_cidr_block = "10.0.0.0/8"
  transit_gateway_id     = aws_ec2_transit_gateway_vpc_attachment_accepter.other.transit_gateway_id
}

# In the shared subnet: groups and interfaces of its own, and a name that nobody else sees.
data "aws_subnet" "shared" {
  provider = aws.other
  id       = aws_subnet.shared.id

  depends_on = [aws_ram_resource_share_accepter.ours]
}

resource "aws_ec2_tag" "shared" {
  provider    = aws.other
  resource_id = data.aws_subnet.shared.id
  key         = "Name"
  value       = "of the network team"
}

resource "aws_security_group" "app" {
  provider = aws.other
  name     = "app"
  vpc_id   = data.aws_subnet.shared.vpc_id
}

resource "aws_vpc_security_group_ingress_rule" "store" {
  provider                     = aws.other
  security_group_id            = aws_security_group.app.id
  ip_protocol                  = "tcp"
  from_port                    = 80
  to_port                      = 80
  referenced_security_group_id = "${data.aws_caller_identity.own.account_id}/${aws_security_group.store.id}"
}

resource "aws_network_interface" "app" {
  provider        = aws.other
  subnet_id       = data.aws_subnet.shared.id
  security_groups = [aws_security_group.app.id]
}

output "interface" {
  value = aws_network_interface.app.id
}

output "subnet" {
  value = aws_subnet.shared.id
}

output "share" {
  value = aws_ram_resource_share.ours.arn
}

output "other" {
  value = data.aws_caller_identity.other.account_id
}

output "offices" {
  value = aws_ec2_managed_prefix_list.offices.id
}

output "attachment" {
  value = aws_ec2_transit_gateway_vpc_attachment.other.id
}
