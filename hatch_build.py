"""Build hook: compile the native client, `bin/gatesh`, when there is a compiler.

Without one the wheel carries a Python script in its place.  That works, but it
starts slower and cannot see a leading dash in argv[0] or which signals were
ignored: `gatesh doctor` says so.
"""

from __future__ import annotations

import os
import runpy
import shutil
import sys
import sysconfig
import tempfile
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FALLBACK = """#!python
import sys
from gatesh.__main__ import main
sys.exit(main())
"""


class NativeClient(BuildHookInterface):  # type: ignore[type-arg]
    """Adds `gatesh` to the wheel's scripts."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile into a temporary directory; hatchling copies the result into the wheel."""
        if self.target_name != "wheel":
            return
        self.place = tempfile.mkdtemp(prefix="gatesh-build-")
        program = os.path.join(self.place, "gatesh")
        native = runpy.run_path(os.path.join(self.root, "native", "build.py"))
        if native["compiler"]() and sys.platform == "linux":
            native["build_client"](program)
            platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
            build_data["tag"] = f"py3-none-{platform}"
            build_data["pure_python"] = False
        else:
            self.app.display_warning("no C compiler: gatesh will start through a Python script")
            with open(program, "w", encoding="ascii") as script:
                script.write(FALLBACK)
            os.chmod(program, 0o755)  # noqa: S103
        build_data["shared_scripts"][program] = "gatesh"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove the temporary directory."""
        if self.target_name == "wheel":
            shutil.rmtree(self.place, ignore_errors=True)
