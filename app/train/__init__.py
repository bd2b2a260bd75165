"""The Train tab: fine-tuning on a folder of this machine."""
