# VPC endpoints of both types, and an endpoint service of one's own.
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

variable "wide" {
  type    = bool
  default = false
}

resource "aws_vpc" "main" {
  cidr_block           = "10.0.0.0/16"
  enable_dns_hostnames = true
}

resource "aws_subnet" "main" {
  count             = 2
  vpc_id            = aws_vpc.main.id
  cidr_block        = "10.0.${count.index}.0/24"
  availability_zone = ["ap-northeast-2a", "ap-northeast-2b"][count.index]
}

resource "aws_route_table" "main" {
  vpc_id = aws_vpc.main.id
}

resource "aws_route_table" "other" {
  vpc_id = aws_vpc.main.id
}

data "aws_vpc_endpoint_service" "s3" {
  service      = "s3"
  service_type = "Gateway"
}

resource "aws_vpc_endpoint" "s3" {
  vpc_id          = aws_vpc.main.id
  service_name    = data.aws_vpc_endpoint_service.s3.service_name
  route_table_ids = var.wide ? [aws_route_table.main.id, aws_route_table.other.id] : [aws_route_table.main.id]
  tags            = { Name = "s3" }
}

resource "aws_security_group" "endpoints" {
  name   = "endpoints"
  vpc_id = aws_vpc.main.id
}

resource "aws_vpc_endpoint" "sts" {
  vpc_id              = aws_vpc.main.id
  service_name        = "com.amazonaws.ap-northeast-2.sts"
  vpc_endpoint_type   = "Interface"
  private_dns_enabled = true
  subnet_ids          = var.wide ? aws_subnet.main[*].id : [aws_subnet.main[0].id]
  security_group_ids  = [aws_security_group.endpoints.id]
}

resource "aws_vpc_endpoint_service" "own" {
  acceptance_required        = true
  network_load_balancer_arns = ["arn:aws:elasticloadbalancing:ap-northeast-2:123456789012:loadbalancer/net/own/50dc6c495c0c9188"]
}

resource "aws_vpc_endpoint_service_allowed_principal" "own" {
  vpc_endpoint_service_id = aws_vpc_endpoint_service.own.id
  principal_arn           = "arn:aws:iam::210987654321:root"
}

resource "aws_vpc_endpoint" "own" {
  vpc_id            = aws_vpc.main.id
  service_name      = aws_vpc_endpoint_service.own.service_name
  vpc_endpoint_type = "Interface"
  subnet_ids        = [aws_subnet.main[1].id]
}

resource "aws_vpc_endpoint_connection_accepter" "own" {
  vpc_endpoint_service_id = aws_vpc_endpoint_service.own.id
  vpc_endpoint_id         = aws_vpc_endpoint.own.id
}

resource "aws_vpc_endpoint_connection_notification" "own" {
  vpc_endpoint_service_id     = aws_vpc_endpoint_service.own.id
  connection_notification_arn = "arn:aws:sns:ap-northeast-2:123456789012:told"
  connection_events           = ["Accept", "Reject"]
}

output "table" {
  value = aws_route_table.main.id
}

output "s3" {
  value = aws_vpc_endpoint.s3.id
}

output "prefix_list" {
  value = aws_vpc_endpoint.s3.prefix_list_id
}

output "names" {
  # The names of zones are known to the provider only after a refresh.
  value = [for each in aws_vpc_endpoint.sts.dns_entry : each.dns_name if !startswith(each.dns_name, "vpce-")]
}

# The parts of an endpoint as resources of their own.
resource "aws_vpc_endpoint" "dynamodb" {
  vpc_id       = aws_vpc.main.id
  service_name = "com.amazonaws.ap-northeast-2.dynamodb"
}

resource "aws_vpc_endpoint_route_table_association" "dynamodb" {
  vpc_endpoint_id = aws_vpc_endpoint.dynamodb.id
  route_table_id  = aws_route_table.other.id
}

resource "aws_vpc_endpoint_policy" "dynamodb" {
  vpc_endpoint_id = aws_vpc_endpoint.dynamodb.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = "*"
      Action    = var.wide ? "dynamodb:*" : "dynamodb:GetItem"
      Resource  = "*"
    }]
  })
}

resource "aws_vpc_endpoint" "ec2" {
  vpc_id            = aws_vpc.main.id
  service_name      = "com.amazonaws.ap-northeast-2.ec2"
  vpc_endpoint_type = "Interface"
  subnet_ids        = [aws_subnet.main[0].id]
}

resource "aws_vpc_endpoint_security_group_association" "ec2" {
  vpc_endpoint_id   = aws_vpc_endpoint.ec2.id
  security_group_id = aws_security_group.endpoints.id
}

resource "aws_vpc_endpoint_private_dns" "ec2" {
  vpc_endpoint_id     = aws_vpc_endpoint.ec2.id
  private_dns_enabled = var.wide
}

resource "aws_vpc_endpoint_service" "named" {
  acceptance_required        = false
  network_load_balancer_arns = ["arn:aws:elasticloadbalancing:ap-northeast-2:123456789012:loadbalancer/net/named/50dc6c495c0c9188"]
  private_dns_name           = "api.example.com"
}

resource "aws_vpc_endpoint_service_private_dns_verification" "named" {
  service_id = aws_vpc_endpoint_service.named.id
}
