"""Whose signature?  Keys, the signatures they make, and where private halves are kept.

`publickey`, `sshwire` and `sshsig` are pure; the rest reads key files, talks to
ssh-agent or asks the operating system's keyring.
"""
