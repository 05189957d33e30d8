"""The folders of ``examples/terraform``, applied, changed and destroyed by Terraform itself."""
