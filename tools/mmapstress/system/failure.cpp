#include "tools/mmapstress/system/failure.hpp"

#include <system_error>
#include <utility>

namespace mmapstress {

std::string Failure::message() const {
    return error == 0 ? what : what + ": " + std::generic_category().message(error);
}

std::unexpected<Failure> failed(std::string what, Errno error) {
    return std::unexpected(Failure{error.value, std::move(what)});
}

std::unexpected<Failure> refused(std::string what) {
    return std::unexpected(Failure{0, std::move(what)});
}

} // namespace mmapstress
