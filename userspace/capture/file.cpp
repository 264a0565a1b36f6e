#include "capture/file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include "capture/format.hpp"

namespace timesink::capture {
namespace {

Error failure(const std::string& path, const std::string& doing, int error) {
    return {path + ": " + doing + ": " + std::generic_category().message(error), error};
}

/// Whether what stands at `path` may be replaced. O_NONBLOCK: opening a pipe must not wait for its writer.
Status check_replaceable(const std::string& path, Existing existing) {
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (descriptor < 0) {
        return errno == ELOOP ? Error{path + ": is a symbolic link; a recording is not written through one", ELOOP}
                              : failure(path, "cannot open the existing file", errno);
    }
    struct stat status {};
    std::array<char, kFileMagic.size()> magic{};
    const bool known = fstat(descriptor, &status) == 0;
    const ssize_t length = known && S_ISREG(status.st_mode) ? pread(descriptor, magic.data(), magic.size(), 0) : 0;
    ::close(descriptor);
    if (known && S_ISDIR(status.st_mode)) {
        return Error{path + ": is a directory", EISDIR};
    }
    if (!known || !S_ISREG(status.st_mode)) {
        return Error{path + ": is not a regular file", EINVAL};
    }
    const bool recording = length == static_cast<ssize_t>(magic.size()) && magic == kFileMagic;
    if (existing == Existing::replace_recordings && !recording && status.st_size != 0) {
        return Error{path + ": exists and is not a timesink recording", EEXIST};
    }
    return Done{};
}

}  // namespace

Result<File> File::create(const std::string& path, Existing existing) {
    constexpr int kFlags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    int descriptor = ::open(path.c_str(), kFlags, 0600);
    if (descriptor < 0 && errno == EEXIST) {
        if (Status replaceable = check_replaceable(path, existing); !replaceable) {
            return replaceable.error();
        }
        if (unlink(path.c_str()) != 0) {
            return failure(path, "cannot replace", errno);
        }
        // O_EXCL again: who puts something there between the two calls gets an error, not our data.
        descriptor = ::open(path.c_str(), kFlags, 0600);
    }
    if (descriptor < 0) {
        return failure(path, "cannot create", errno);
    }
    return File(path, descriptor);
}

Status File::check_destination(const std::string& path, Existing existing) {
    struct stat status {};
    if (lstat(path.c_str(), &status) == 0) {
        return check_replaceable(path, existing);
    }
    if (errno != ENOENT) {
        return failure(path, "cannot create", errno);
    }
    const std::size_t slash = path.find_last_of('/');
    const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
    if (access(folder.c_str(), W_OK | X_OK) != 0) {
        return failure(path, "cannot create", errno);
    }
    return Done{};
}

Result<File> File::open(const std::string& path) {
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (descriptor < 0) {
        return failure(path, "cannot open", errno);
    }
    File file(path, descriptor);
    struct stat status {};
    if (fstat(descriptor, &status) != 0) {
        return file.failed("cannot stat", errno);
    }
    if (S_ISDIR(status.st_mode)) {
        return Error{path + ": is a directory", EISDIR};
    }
    if (!S_ISREG(status.st_mode)) {
        return Error{path + ": is not a regular file", EINVAL};
    }
    return file;
}

File::File(File&& other) noexcept : path_(std::move(other.path_)), descriptor_(std::exchange(other.descriptor_, -1)) {}

File& File::operator=(File&& other) noexcept {
    std::swap(path_, other.path_);
    std::swap(descriptor_, other.descriptor_);
    return *this;
}

File::~File() {
    if (descriptor_ >= 0) {
        ::close(descriptor_);
    }
}

Error File::failed(const char* doing, int error) const {
    return failure(path_, doing, error);
}

Status File::append(std::span<const std::byte> bytes, std::uint64_t size_before) {
    while (!bytes.empty()) {
        const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
        if (written > 0) {
            bytes = bytes.subspan(static_cast<std::size_t>(written));
        } else if (written == 0 || errno != EINTR) {
            const int error = written == 0 ? ENOSPC : errno;
            // Best effort: a half section that stays is recognised by its length.
            if (ftruncate(descriptor_, static_cast<off_t>(size_before)) == 0) {
                lseek(descriptor_, 0, SEEK_END);
            }
            return failed("cannot write", error);
        }
    }
    return Done{};
}

Result<bool> File::read_at(std::uint64_t offset, std::span<std::byte> bytes) const {
    while (!bytes.empty()) {
        const ssize_t length = ::pread(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
        if (length == 0) {
            return false;
        }
        if (length > 0) {
            offset += static_cast<std::uint64_t>(length);
            bytes = bytes.subspan(static_cast<std::size_t>(length));
        } else if (errno != EINTR) {
            return failed("cannot read", errno);
        }
    }
    return true;
}

Result<std::uint64_t> File::size() const {
    struct stat status {};
    if (fstat(descriptor_, &status) != 0) {
        return failed("cannot stat", errno);
    }
    return static_cast<std::uint64_t>(status.st_size);
}

Status File::close() {
    if (::close(std::exchange(descriptor_, -1)) != 0) {
        return failed("cannot close", errno);
    }
    return Done{};
}

}  // namespace timesink::capture
