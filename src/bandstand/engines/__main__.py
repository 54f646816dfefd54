"""`python -m bandstand.engines NAME --folder F --port P`: become that server."""

import argparse
import os
import sys
from pathlib import Path

from bandstand.engines import ENGINES, Absent
from bandstand.service.processes import die_with_parent


def main() -> int:
    """Return only when the server cannot be started."""
    parser = argparse.ArgumentParser(prog="python -m bandstand.engines", description="Become a server of one folder.")
    parser.add_argument("name", choices=sorted(ENGINES))
    parser.add_argument("--folder", type=Path, required=True, help="where its data lies; made when it is not there")
    parser.add_argument("--port", type=int, required=True, help="on 127.0.0.1")
    options = parser.parse_args()
    die_with_parent(os.getppid())
    try:
        ENGINES[options.name].become(options.folder.resolve(), options.port)
    except Absent as error:
        print(error, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
