"""Guestbook: a plugin of Torg."""
