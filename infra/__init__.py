"""The deployment: CDK in the cloud, one command on the laptop."""
