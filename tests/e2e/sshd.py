# SPDX-License-Identifier: MIT
"""Servers of SSH on this machine."""
import getpass
import os
import socket
import subprocess

from harness import until


class SshServers:
    """They have one host key, and let one user key in unless told otherwise: `host` and `user` in `folder`."""

    def __init__(self, folder):
        if os.geteuid() == 0:
            os.makedirs("/run/sshd", mode=0o755, exist_ok=True)  # sshd insists on it
        self.folder, self.user, self._servers = folder, getpass.getuser(), []
        folder.mkdir(mode=0o700)
        for name in ("host", "user"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)

    @property
    def key(self):
        return self.folder / "user"

    def start(self, *lines, keys=None):
        """One with these lines in its configuration, besides others; its port."""
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        config = self.folder / f"config-{port}"
        config.write_text("\n".join([
            f"Port {port}", "ListenAddress 127.0.0.1", f"HostKey {self.folder}/host", "PidFile none", "UsePAM no", "StrictModes no",
            "PermitRootLogin prohibit-password", "PasswordAuthentication no", keys or f"AuthorizedKeysFile {self.folder}/user.pub", *lines]) + "\n")
        said = self.folder / f"said-{port}"
        with open(said, "w") as log:
            server = subprocess.Popen(["/usr/sbin/sshd", "-D", "-e", "-f", config], stderr=log, start_new_session=True)
        self._servers.append(server)

        def listens():
            assert server.poll() is None, f"sshd has ended: {said.read_text()}"
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                return True
            except OSError:
                return False

        until(listens, "sshd to listen")
        return port

    def known_hosts(self, port, host="127.0.0.1"):
        """A file that knows the one at this address."""
        file = self.folder / f"known_hosts-{port}"
        file.write_text(f"[{host}]:{port} {' '.join((self.folder / 'host.pub').read_text().split()[:2])}\n")
        return file

    def url(self, port, path, host="127.0.0.1"):
        return f"ssh://{self.user}@{host}:{port}{path}"

    def close(self):
        for server in self._servers:
            server.terminate()
            server.wait()
