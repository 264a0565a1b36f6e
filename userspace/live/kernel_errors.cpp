#include "live/kernel_errors.hpp"

#include <cerrno>
#include <cstring>

namespace timesink::live {

std::string refusal(int errno_value) {
    return errno_value == EPERM || errno_value == EACCES
               ? std::string(std::strerror(errno_value)) + " (root, or CAP_BPF and CAP_PERFMON, is needed)"
               : std::strerror(errno_value);
}

Error failure(const std::string& what, int errno_value) {
    return Error{what + ": " + refusal(errno_value), errno_value};
}

}  // namespace timesink::live
