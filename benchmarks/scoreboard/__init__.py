"""One table of protection: methods, strengths and other tools, beside what is seen of them."""
