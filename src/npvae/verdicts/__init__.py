"""The paper's claims, the rules that decide them, and the page that shows it."""
