// What most tests include and none of us wrote, for a unity build: compiled once.
#pragma once

#include "fusefs/third_party/precompiled.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
