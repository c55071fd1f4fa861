"""HDF5, read, written and amended; the one door of h5py. This is its table of contents.

What takes files apart and puts them together has rooms of its own: places, attributes, amend,
repack.
"""

from modelfmt.storage.hdf5.reader import Hdf5Reader as Hdf5Reader
from modelfmt.storage.hdf5.writer import ATTRIBUTE_LIMIT as ATTRIBUTE_LIMIT
from modelfmt.storage.hdf5.writer import AttributeTooLargeError as AttributeTooLargeError
from modelfmt.storage.hdf5.writer import write_hdf5 as write_hdf5
from modelfmt.storage.superblock import is_hdf5 as is_hdf5
from modelfmt.storage.tree import Hdf5Array as Hdf5Array
from modelfmt.storage.tree import Hdf5Dataset as Hdf5Dataset
from modelfmt.storage.tree import Hdf5Group as Hdf5Group
