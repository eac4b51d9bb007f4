"""What is known of an image before it runs, and which images are refused."""
