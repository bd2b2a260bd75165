"""What the tabs are built of: the page's widgets and what they say to the server."""
