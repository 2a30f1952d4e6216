"""RunPod's serverless endpoints: OpenAI's wire where the worker has it, jobs where it has not."""
