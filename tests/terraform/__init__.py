"""A plain configuration, applied, planned and destroyed by Terraform itself."""
