"""The pipeline that makes a SAKE checkpoint: data, base model, fine-tuning, export."""
