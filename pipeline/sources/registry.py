"""The readers: every class imported here is one, and its `type` is its name in `params.yaml`. A new one is a line more."""

from pipeline.sources.atomic import AtomicSource as AtomicSource
from pipeline.sources.book_crossing import BookCrossingSource as BookCrossingSource
from pipeline.sources.hetrec_lastfm import HetrecLastfmSource as HetrecLastfmSource
from pipeline.sources.kgcn import KgcnSource as KgcnSource
from pipeline.sources.movielens import MovieLensSource as MovieLensSource
from pipeline.sources.recbole_wheel import RecboleWheelSource as RecboleWheelSource
from pipeline.sources.tables import TablesSource as TablesSource
