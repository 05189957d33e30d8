# Flow logs to a log group and to a bucket, and a session of traffic mirroring.
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

# A second apply mirrors another range of ports.
variable "last_port" {
  type    = number
  default = 443
}

resource "aws_vpc" "main" {
  cidr_block = "10.0.0.0/16"
}

resource "aws_subnet" "main" {
  vpc_id     = aws_vpc.main.id
  cidr_block = "10.0.1.0/24"
}

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
    to_port   = var.last_port
  }
}

resource "aws_ec2_traffic_mirror_session" "web" {
  network_interface_id     = aws_network_interface.mirror[1].id
  traffic_mirror_filter_id = aws_ec2_traffic_mirror_filter.web.id
  traffic_mirror_target_id = aws_ec2_traffic_mirror_target.sink.id
  session_number           = 1
}
