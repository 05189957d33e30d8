# Users, groups, roles, policies of all sorts, and an instance profile.
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

data "aws_caller_identity" "me" {}

resource "aws_iam_service_linked_role" "spot" {
  aws_service_name = "spot.amazonaws.com"
  description      = var.wide ? "spot instances" : "spot"
  tags             = { team = "a" }
}

# What the account goes by instead of its number.
resource "aws_iam_account_alias" "me" {
  account_alias = "team-${data.aws_caller_identity.me.account_id}"
}

data "aws_iam_policy_document" "reads" {
  statement {
    actions   = concat(["ec2:Describe*"], var.wide ? ["ec2:StartInstances"] : [])
    resources = ["*"]
    condition {
      test     = "StringEquals"
      variable = "aws:RequestedRegion"
      values   = ["ap-northeast-2"]
    }
  }
}

data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["ec2.amazonaws.com"]
    }
    principals {
      type        = "AWS"
      identifiers = [aws_iam_user.alice.arn, data.aws_caller_identity.me.account_id]
    }
  }
}

resource "aws_iam_policy" "reads" {
  name        = "reads"
  path        = "/team/"
  description = "Look, do not touch."
  policy      = data.aws_iam_policy_document.reads.json
  tags        = { team = var.wide ? "b" : "a" }
}

resource "aws_iam_user" "alice" {
  name                 = var.wide ? "alicia" : "alice"
  path                 = "/dev/"
  permissions_boundary = aws_iam_policy.reads.arn
  force_destroy        = true
  tags                 = { team = "a" }
}

resource "aws_iam_access_key" "alice" {
  user   = aws_iam_user.alice.name
  status = var.wide ? "Inactive" : "Active"
}

resource "aws_iam_user_policy" "own" {
  name   = "own"
  user   = aws_iam_user.alice.name
  policy = data.aws_iam_policy_document.reads.json
}

resource "aws_iam_user_policy_attachment" "reads" {
  user       = aws_iam_user.alice.name
  policy_arn = aws_iam_policy.reads.arn
}

resource "aws_iam_group" "dev" {
  name = "dev"
}

resource "aws_iam_group_membership" "dev" {
  name  = "dev"
  group = aws_iam_group.dev.name
  users = [aws_iam_user.alice.name]
}

resource "aws_iam_group_policy" "own" {
  name   = "own"
  group  = aws_iam_group.dev.name
  policy = data.aws_iam_policy_document.reads.json
}

resource "aws_iam_group_policy_attachment" "awss" {
  group      = aws_iam_group.dev.name
  policy_arn = "arn:aws:iam::aws:policy/AmazonEC2ReadOnlyAccess"
}

resource "aws_iam_role" "web" {
  name                 = "web"
  description          = var.wide ? "Serves more." : "Serves."
  max_session_duration = 7200
  assume_role_policy   = data.aws_iam_policy_document.trust.json
  tags                 = { team = "a" }
}

resource "aws_iam_role_policy" "own" {
  name   = "own"
  role   = aws_iam_role.web.id
  policy = data.aws_iam_policy_document.reads.json
}

resource "aws_iam_role_policy_attachment" "reads" {
  role       = aws_iam_role.web.name
  policy_arn = aws_iam_policy.reads.arn
}

resource "aws_iam_instance_profile" "web" {
  name = "web"
  role = aws_iam_role.web.name
}

output "profile" {
  value = aws_iam_instance_profile.web.arn
}

# Lists that leave nothing beside them, and memberships by user.
resource "aws_iam_user" "bob" {
  name          = "bob"
  force_destroy = true
}

resource "aws_iam_group" "ops" {
  name = "ops"
}

resource "aws_iam_user_group_membership" "bob" {
  user   = aws_iam_user.bob.name
  groups = [aws_iam_group.ops.name]
}

resource "aws_iam_policy" "all" {
  name   = "all"
  policy = data.aws_iam_policy_document.reads.json
}

resource "aws_iam_policy_attachment" "all" {
  name       = "all"
  policy_arn = aws_iam_policy.all.arn
  users      = [aws_iam_user.bob.name]
  groups     = [aws_iam_group.ops.name]
}

resource "aws_iam_user_policies_exclusive" "alice" {
  user_name    = aws_iam_user.alice.name
  policy_names = [aws_iam_user_policy.own.name]
}

resource "aws_iam_user_policy_attachments_exclusive" "alice" {
  user_name   = aws_iam_user.alice.name
  policy_arns = [aws_iam_user_policy_attachment.reads.policy_arn]
}

resource "aws_iam_group_policies_exclusive" "dev" {
  group_name   = aws_iam_group.dev.name
  policy_names = [aws_iam_group_policy.own.name]
}

resource "aws_iam_group_policy_attachments_exclusive" "dev" {
  group_name  = aws_iam_group.dev.name
  policy_arns = [aws_iam_group_policy_attachment.awss.policy_arn]
}

resource "aws_iam_role_policies_exclusive" "web" {
  role_name    = aws_iam_role.web.name
  policy_names = [aws_iam_role_policy.own.name]
}

resource "aws_iam_role_policy_attachments_exclusive" "web" {
  role_name   = aws_iam_role.web.name
  policy_arns = [aws_iam_role_policy_attachment.reads.policy_arn]
}
