"""Qwen3-VL-Embedding and Qwen3-VL-Reranker in process: prompts, pictures, and the two forwards.

inputs.py   what is put in: texts, images, videos -> Prompt (token ids and pixels)
prompts.py  the exact strings
pictures.py sizes and patches
model.py    a loaded checkpoint and its exact forward, as the library computes it
fast.py     the forward for many pictures of one shape
batches.py  what is computed together
"""
