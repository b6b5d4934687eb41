// libfuse's low-level interface, in the one version of it that all of this folder is written for.
#pragma once

#define FUSE_USE_VERSION 314
#include <fuse3/fuse_lowlevel.h>
