"""Whole programs that people search for faces with, as judges.

They live in an environment of their own, where `runner` shows them the photos.
"""
