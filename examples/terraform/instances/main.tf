# Instances as teams launch them: from templates, well-known images and images of their own, with
# volumes and snapshots.
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

# A second apply changes the volume.
variable "size" {
  type    = number
  default = 10
}

data "aws_caller_identity" "me" {}

# The look-ups of the commonest modules.
data "aws_ami" "amazon" {
  most_recent = true
  owners      = ["amazon"]
  filter {
    name   = "name"
    values = ["al2023-ami-2023*-x86_64"]
  }
  filter {
    name   = "virtualization-type"
    values = ["hvm"]
  }
}

data "aws_ami" "ubuntu" {
  most_recent = true
  owners      = ["099720109477"]
  filter {
    name   = "name"
    values = ["ubuntu/images/hvm-ssd/ubuntu-jammy-22.04-amd64-server-*"]
  }
}

data "aws_ami" "debian" {
  most_recent = true
  owners      = ["136693071363"]
  filter {
    name   = "name"
    values = ["debian-12-*"]
  }
  filter {
    name   = "architecture"
    values = ["x86_64"]
  }
  filter {
    name   = "root-device-type"
    values = ["ebs"]
  }
}

data "aws_ami" "base" {
  most_recent = true
  owners      = ["amazon"]
  filter {
    name   = "name"
    values = ["gureum-base-*"]
  }
}

resource "aws_placement_group" "apart" {
  name            = "apart"
  strategy        = "partition"
  partition_count = 3
}

resource "aws_placement_group" "spread" {
  name     = "spread"
  strategy = "spread"
}

resource "aws_ebs_volume" "data" {
  availability_zone = aws_instance.templated.availability_zone
  size              = var.size
  type              = "gp3"
  iops              = 4000
  throughput        = 200
  tags              = { Name = "data" }
}

resource "aws_ebs_volume" "shared" {
  availability_zone    = aws_instance.web.availability_zone
  size                 = 4
  type                 = "io2"
  iops                 = 100
  multi_attach_enabled = true
  encrypted            = true
}

resource "aws_volume_attachment" "data" {
  device_name = "/dev/sdf"
  volume_id   = aws_ebs_volume.data.id
  instance_id = aws_instance.templated.id
}

resource "aws_ebs_snapshot" "data" {
  volume_id   = aws_ebs_volume.data.id
  description = "of the data"
  tags        = { Name = "data" }
}

resource "aws_ebs_snapshot_copy" "data" {
  source_snapshot_id = aws_ebs_snapshot.data.id
  source_region      = "ap-northeast-2"
}

resource "aws_ebs_fast_snapshot_restore" "data" {
  availability_zone = "ap-northeast-2a"
  snapshot_id       = aws_ebs_snapshot.data.id
}

resource "aws_snapshot_create_volume_permission" "friend" {
  snapshot_id = aws_ebs_snapshot.data.id
  account_id  = "210987654321"
}

resource "aws_ebs_snapshot" "secret" {
  volume_id = aws_ebs_volume.shared.id
}

resource "aws_ebs_volume" "restored" {
  availability_zone = "ap-northeast-2a"
  snapshot_id       = aws_ebs_snapshot.secret.id
}

resource "aws_launch_template" "web" {
  name          = "web"
  image_id      = data.aws_ami.base.id
  instance_type = "t3.nano"
  ebs_optimized = true

  block_device_mappings {
    device_name = "/dev/sdb"
    ebs {
      volume_size           = 2
      volume_type           = "gp3"
      delete_on_termination = true
    }
  }
  metadata_options {
    http_tokens                 = "required"
    http_put_response_hop_limit = 2
  }
  monitoring {
    enabled = true
  }
  placement {
    group_name = aws_placement_group.spread.name
  }
  tag_specifications {
    resource_type = "instance"
    tags          = { Template = "web" }
  }
  tag_specifications {
    resource_type = "volume"
    tags          = { Template = "web" }
  }
  update_default_version = true
}

data "aws_launch_template" "web" {
  name       = aws_launch_template.web.name
  depends_on = [aws_launch_template.web]
}

resource "aws_instance" "web" {
  ami                  = data.aws_ami.base.id
  instance_type        = "c5.large"
  iam_instance_profile = "web"
  placement_group      = aws_placement_group.apart.name

  cpu_options {
    core_count       = 1
    threads_per_core = 1
  }
  root_block_device {
    volume_size = 12
    volume_type = "gp3"
    tags        = { Name = "root" }
  }
  ebs_block_device {
    device_name = "/dev/sdg"
    volume_size = 3
  }
  tags = { Name = "web" }
}

resource "aws_instance" "templated" {
  launch_template {
    id      = aws_launch_template.web.id
    version = "$Latest"
  }
  instance_type = "t3.micro"
  tags          = { Template = "web" }
}

resource "aws_ami" "registered" {
  name                = "registered"
  architecture        = "x86_64"
  root_device_name    = "/dev/xvda"
  virtualization_type = "hvm"
  ena_support         = true
  ebs_block_device {
    device_name = "/dev/xvda"
    snapshot_id = aws_ebs_snapshot.data.id
    volume_size = 20
  }
  tags = { Name = "registered" }
}

resource "aws_ami_from_instance" "web" {
  name                    = "from-web"
  source_instance_id      = aws_instance.web.id
  snapshot_without_reboot = true
}

resource "aws_ami_copy" "debian" {
  name              = "my-debian"
  source_ami_id     = data.aws_ami.debian.id
  source_ami_region = "ap-northeast-2"
}

resource "aws_ami_launch_permission" "friend" {
  image_id   = aws_ami_copy.debian.id
  account_id = "210987654321"
}

data "aws_ebs_snapshot" "data" {
  most_recent  = true
  owners       = ["self"]
  snapshot_ids = [aws_ebs_snapshot.data.id]
}

data "aws_ebs_volume" "root" {
  filter {
    name   = "attachment.instance-id"
    values = [aws_instance.web.id]
  }
  filter {
    name   = "tag:Name"
    values = ["root"]
  }
}

output "amazon" {
  value = data.aws_ami.amazon.name
}

output "ubuntu" {
  value = data.aws_ami.ubuntu.name
}

output "debian" {
  value = data.aws_ami.debian.name
}

output "root_size" {
  value = data.aws_ebs_volume.root.size
}

output "data" {
  value = aws_ebs_volume.data.id
}

output "templated" {
  value = aws_instance.templated.id
}

# A second apply, with a larger volume, starts it.
resource "aws_ec2_instance_state" "web" {
  instance_id = aws_instance.web.id
  state       = var.size == 10 ? "stopped" : "running"
}

data "aws_vpc" "default" {
  default = true
}

data "aws_subnets" "default" {
  filter {
    name   = "vpc-id"
    values = [data.aws_vpc.default.id]
  }
}

resource "aws_ec2_instance_connect_endpoint" "main" {
  subnet_id = data.aws_subnets.default.ids[0]
}

output "web" {
  value = aws_instance.web.id
}
