// Headers of other projects that most tests include, precompiled for a unity build.
#pragma once

#include "fusefs/third_party/precompiled.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
