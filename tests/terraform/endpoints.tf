# VPC endpoints of both types, an endpoint service, and a VPN with its routes.
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

variable "sites" {
  type    = list(string)
  default = ["192.168.0.0/16"]
}

variable "wide" {
  type    = bool
  default = false
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

# --- endpoints ---------------------------------------------------------------------------------
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

# --- VPN ---------------------------------------------------------------------------------------
resource "aws_vpn_gateway" "main" {
  vpc_id = aws_vpc.main.id
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

output "gateway" {
  value = aws_vpn_gateway.main.id
}
