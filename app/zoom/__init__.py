"""The Zoom tab: any part of the photo at any scale, and its export."""
