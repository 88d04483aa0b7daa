"""File systems that are not disks: an object store as S3 is, one that takes its time, and one that is read-only."""

import errno
import os

from fsspec.spec import AbstractFileSystem


class ObjectStore(AbstractFileSystem):
    """Keys and whole objects: no folders, no rename; a put appears at once or not at all, and listings are cached.

    ``before`` is called with the name of each operation and its key; what it raises is what the store raises.
    """

    protocol = "objects"
    cachable = False
    objects: dict[str, bytes] = {}  # noqa: RUF012 - one store for all who connect
    before = staticmethod(lambda operation, key: None)

    @classmethod
    def _strip_protocol(cls, path):
        return path.removeprefix("objects://").strip("/")

    def makedirs(self, path, exist_ok=False):
        pass

    def pipe_file(self, path, value, mode="overwrite", **kwargs):
        self.before("put", key := self._strip_protocol(path))
        self.objects[key] = bytes(value)

    def cat_file(self, path, start=None, end=None, **kwargs):
        self.before("get", key := self._strip_protocol(path))
        if key not in self.objects:
            raise FileNotFoundError(path)
        return self.objects[key]

    def cp_file(self, path1, path2, **kwargs):
        self.before("copy", key := self._strip_protocol(path2))
        self.objects[key] = self.objects[self._strip_protocol(path1)]

    def mv(self, path1, path2, **kwargs):
        self.cp_file(path1, path2)
        self.rm_file(path1)

    def rm_file(self, path):
        self.before("delete", key := self._strip_protocol(path))
        self.objects.pop(key, None)  # as S3, which does not say whether there was one

    def ls(self, path, detail=True, **kwargs):
        prefix = self._strip_protocol(path)
        if prefix not in self.dircache:
            below = [key for key in self.objects if key.startswith(prefix + "/")]
            if not below:
                raise FileNotFoundError(path)
            parts = {key[len(prefix) + 1 :].partition("/")[::2] for key in below}
            self.dircache[prefix] = [
                {"name": f"{prefix}/{first}", "size": 0, "type": "directory" if rest else "file"}
                for first, rest in sorted(dict(parts).items())
            ]
        found = self.dircache[prefix]
        return found if detail else [entry["name"] for entry in found]

    def invalidate_cache(self, path=None):
        self.dircache.clear()


def read_only(operation, key):
    """A ``before`` that lets nothing be changed."""
    if operation != "get":
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))
