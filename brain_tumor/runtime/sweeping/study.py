from hydra.plugins.sweeper import Sweeper
class StudySweeper(Sweeper):
    def setup(self, **kw): pass
    def sweep(self, arguments): pass
