"""What is done for a request or a job."""
