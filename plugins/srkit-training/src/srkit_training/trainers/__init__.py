"""The trainers of Real-ESRGAN."""
