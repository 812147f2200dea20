"""Error measures, pure functions of arrays: `nme`, distances to landmarks as a share of a reference distance."""
