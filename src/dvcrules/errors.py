"""What a user can mend, in one sentence."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dvc.exceptions import DvcException, NotDvcRepoError
from dvc.rwlock import RWLockFileCorruptedError, RWLockFileFormatError
from dvc.scm import SCMError
from dvc.utils.serialize import ParseError
from dvc.utils.strictyaml import YAMLValidationError


class BridgeError(Exception):
    """Something to mend in the project; its message is one sentence that names the file or stage."""


def unreadable_ledger(path: Path | str, problem: str) -> BridgeError:
    """The error that says how to go on where a killed DVC, or a merge, left a dvc.lock unreadable."""
    return BridgeError(
        f"{path}: {problem}; take it from git (`git checkout`, one side of a merge), or remove it and run "
        "`dvc repro`, which takes what it can from the cache"
    )


@contextmanager
def one_sentence() -> Iterator[None]:
    """What DVC raises, as a :class:`BridgeError`.

    Raises:
        BridgeError: whatever DVC finds wrong with the project.
    """
    try:
        yield
    except (RWLockFileCorruptedError, RWLockFileFormatError) as error:
        raise BridgeError(
            ".dvc/tmp/rwlock: broken, as DVC leaves it when it is killed; start again when no other is at "
            "work here, and it is mended"
        ) from error
    except NotDvcRepoError as error:
        raise BridgeError("no DVC project: `dvc init` makes one") from error
    except SCMError as error:
        raise BridgeError(
            "no git repository, which DVC wants: `git init`, or `dvc config core.no_scm true`"
        ) from error
    except (ParseError, YAMLValidationError) as error:
        path = os.path.relpath(error.path)
        if path.endswith(".lock"):
            raise unreadable_ledger(path, "empty, or not valid YAML") from error
        raise BridgeError(f"{path}: not what DVC can read; `dvc status` shows the line") from error
    except (DvcException, ImportError) as error:  # the latter, where a remote needs a package
        raise BridgeError(" ".join(str(error).split())) from error
