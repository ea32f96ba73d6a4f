#!/usr/bin/python3
"""scripts/setup.sh with a package manager that only notes what it is asked: what it installs, how, and what it says when it may not."""
import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

SETUP = Path(__file__).resolve().parents[2] / "scripts" / "setup.sh"

# In the place of the real commands. $FAKE holds: installed (names, one a line), uid, sudo
# (whether one works without a password), code.COMMAND of apt-get; what was called goes to `calls`.
FAKES = {
    "dpkg-query": 'name=${!#}; if grep -qx -- "$name" "$FAKE/installed"; then echo installed; else exit 1; fi',
    "apt-get": """echo "apt-get $*" >>"$FAKE/calls"; echo "DEBIAN_FRONTEND=${DEBIAN_FRONTEND-}" >>"$FAKE/environment"
                  for word; do if [ -f "$FAKE/code.$word" ]; then exit "$(cat "$FAKE/code.$word")"; fi; done""",
    "id": 'cat "$FAKE/uid"',
}
SUDO = 'echo "sudo $*" >>"$FAKE/calls"; if [ "$1" = -n ]; then exit "$(cat "$FAKE/sudo")"; fi; exec "$@"'
TOOLS = ["bash", "sed", "head", "env", "cat", "grep"]


class Setup(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.dir = Path(temporary.name)
        self.bin = self.dir / "bin"
        self.bin.mkdir()
        for tool in TOOLS:
            (self.bin / tool).symlink_to(shutil.which(tool))
        for name, body in FAKES.items():
            self.command(name, body)
        for name, text in {"installed": "", "calls": "", "environment": "", "uid": "0\n", "sudo": "0\n"}.items():
            (self.dir / name).write_text(text)

    def command(self, name, body):
        (self.bin / name).write_text("#!/bin/bash\n" + body + "\n")
        (self.bin / name).chmod(0o755)

    def setup(self, *arguments):
        return subprocess.run(["/bin/bash", SETUP, *arguments], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60,
                              env={"PATH": str(self.bin), "FAKE": str(self.dir)})

    def calls(self):
        return (self.dir / "calls").read_text().splitlines()

    def wanted(self, *arguments):
        """The names of all packages, as the script lists them on a bare machine."""
        return re.findall(r"^  (\S+) +\S", self.setup(*arguments).stdout, re.M)

    def test_installs_what_is_missing_and_asks_nothing(self):
        wanted = self.wanted()
        self.assertIn("g++", wanted)
        self.assertIn("libdnnl-dev", wanted)
        self.assertNotIn("chromium", wanted)
        (self.dir / "calls").write_text("")
        (self.dir / "installed").write_text("\n".join(wanted[2:]) + "\n")
        done = self.setup()
        self.assertEqual(done.returncode, 0, done.stderr)
        update, install = self.calls()
        self.assertTrue(update.endswith(" update"))
        self.assertTrue(install.endswith(f" install --yes --no-install-recommends {wanted[0]} {wanted[1]}"), install)
        # A configuration file that was edited would be asked about, and with nobody to answer dpkg gives up.
        self.assertIn("-o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold ", install)
        self.assertEqual(set((self.dir / "environment").read_text().split()), {"DEBIAN_FRONTEND=noninteractive"})

    def test_says_what_it_costs_and_how_long_the_rest_takes(self):
        done = self.setup()
        self.assertRegex(done.stdout, r"installing \d+ packages .*about \d+ minutes?, [\d.]+ GB")
        self.assertRegex(done.stdout, r"scripts/run.sh .* \d+ minutes.*scripts/test.sh .* \d+")

    def test_nothing_to_do(self):
        (self.dir / "installed").write_text("\n".join(self.wanted("--tests")) + "\n")
        (self.dir / "calls").write_text("")
        (self.dir / "uid").write_text("1000\n")  # nothing to be root for
        for arguments in ([], ["--tests"]):
            done = self.setup(*arguments)
            self.assertEqual((done.returncode, done.stdout), (0, "setup: all packages are there\n"), done.stderr)
        self.assertEqual(self.calls(), [])

    def handed_over(self, done, wanted):
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertIn(f"apt-get install --no-install-recommends {' '.join(wanted)}\n", done.stderr)
        self.assertFalse([call for call in self.calls() if call.startswith("apt-get")])

    def test_not_root_and_no_sudo(self):
        for arguments in ([], ["--tests"]):
            (self.dir / "uid").write_text("0\n")
            wanted = self.wanted(*arguments)
            (self.dir / "calls").write_text("")
            (self.dir / "uid").write_text("1000\n")
            self.handed_over(self.setup(*arguments), wanted)

    def test_a_sudo_that_would_ask_where_nobody_answers(self):
        wanted = self.wanted()
        (self.dir / "calls").write_text("")
        (self.dir / "uid").write_text("1000\n")
        (self.dir / "sudo").write_text("1\n")
        self.command("sudo", SUDO)
        self.handed_over(self.setup(), wanted)

    def test_sudo(self):
        (self.dir / "uid").write_text("1000\n")
        self.command("sudo", SUDO)
        done = self.setup()
        self.assertEqual(done.returncode, 0, done.stderr)
        installs = [call for call in self.calls() if " install --yes " in call]
        self.assertEqual([call.split()[0] for call in installs], ["sudo", "apt-get"])
        self.assertEqual(set((self.dir / "environment").read_text().split()), {"DEBIAN_FRONTEND=noninteractive"})

    def test_a_failing_installation(self):
        (self.dir / "code.install").write_text("100\n")
        done = self.setup()
        self.assertEqual(done.returncode, 3)
        self.assertIn("apt-get install failed", done.stderr)
        self.assertNotIn("setup: done", done.stdout)

    def test_somebody_elses_package_list_that_cannot_be_read_is_no_hindrance(self):
        (self.dir / "code.update").write_text("100\n")
        done = self.setup()
        self.assertEqual(done.returncode, 0)
        self.assertIn("warning", done.stderr)
        self.assertEqual(len(self.calls()), 2)

    def test_other_systems_and_arguments(self):
        self.assertEqual(self.setup("--test").returncode, 2)
        self.assertEqual(self.setup("--help").returncode, 0)
        (self.bin / "apt-get").unlink()
        done = self.setup()
        self.assertEqual(done.returncode, 3)
        self.assertIn("not a Debian system", done.stderr)


if __name__ == "__main__":
    unittest.main()
