"""Versions of the model in MLflow: who is champion, who made it so, and how to go back."""
