"""What several test modules build: small images, models, runs and files. No test module imports another one."""
