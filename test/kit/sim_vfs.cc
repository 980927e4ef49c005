#include "test/kit/sim_vfs.h"

#include <sqlite3.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <map>
#include <new>
#include <vector>

#include "penstock/base/check.h"
#include "penstock/base/guarded.h"
#include "test/kit/sim_disk.h"

namespace penstock::test {
namespace {

constexpr sqlite3_int64 kJulianOffsetMs = 210'866'760'000'000;  // Julian day 0 to the Unix epoch
constexpr int kLongestPath = 512;
constexpr int kSectorSize = 4096;  // what SQLite's own unix VFS says

/// What all connections to one database share in the memory of one machine.
struct Shared {
    int readers = 0;
    const void* reserved = nullptr;
    const void* pending = nullptr;
    const void* exclusive = nullptr;
    std::vector<std::unique_ptr<std::byte[]>> regions;
    std::array<int, SQLITE_SHM_NLOCK> shm_readers{};
    std::array<const void*, SQLITE_SHM_NLOCK> shm_owner{};
};

}  // namespace

struct SimVfs::State {
    State(std::string given, Env& given_env) : name(std::move(given)), env(given_env) {}

    const std::string name;
    Env& env;
    sqlite3_vfs vfs{};
    Mutex mutex;  // of all that is in `shared`
    std::map<std::string, std::weak_ptr<Shared>> shared;
    std::atomic<std::uint64_t> life{0};
    std::atomic<std::uint64_t> temporary{0};
};

namespace {

template <class StateType>
struct OpenFileOf {
    StateType& state;
    std::unique_ptr<File> file;
    std::string path;
    std::uint64_t life;
    std::shared_ptr<Shared> shared;
    int level = SQLITE_LOCK_NONE;
    bool name_is_durable = false;
    bool delete_on_close = false;
    std::array<bool, SQLITE_SHM_NLOCK> shm_shared{};
    std::array<bool, SQLITE_SHM_NLOCK> shm_exclusive{};

    bool is_dead() const { return life != state.life; }
};

/// SQLite's callbacks. A template only because State is private to SimVfs.
template <class StateType>
struct Calls {
    using OpenFile = OpenFileOf<StateType>;
    struct Handle {
        sqlite3_file base;  // first: SQLite's view
        OpenFile* opened;
    };

    static StateType& state_of(sqlite3_vfs* vfs) { return *static_cast<StateType*>(vfs->pAppData); }
    static OpenFile& file_of(sqlite3_file* file) {
        return *reinterpret_cast<Handle*>(file)->opened;
    }
    static int failed(const Error& failure, int otherwise) {
        return failure.code == Code::no_space ? SQLITE_FULL : otherwise;
    }

    static int open(sqlite3_vfs* vfs, const char* name, sqlite3_file* into, int flags, int* out) {
        auto& state = state_of(vfs);
        into->pMethods = nullptr;
        const bool is_temporary = name == nullptr;
        std::string path =
            is_temporary ? "/sim-temporary-" + std::to_string(state.temporary++) : name;
        const OpenMode mode = (flags & SQLITE_OPEN_READONLY) != 0 ? OpenMode::read
                              : (flags & SQLITE_OPEN_CREATE) != 0 ? OpenMode::create
                                                                  : OpenMode::read_write;
        // As SQLite's own: whoever opens a journal or a WAL syncs its name at its first sync, since
        // another connection may have made it and not come to that.
        const bool is_journal = (flags & (SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL)) != 0;
        const bool name_is_durable = !is_journal && state.env.files.exists(path);
        auto file = state.env.files.open(path, mode);
        if (!file) return failed(file.error(), SQLITE_CANTOPEN);
        auto opened = std::make_unique<OpenFile>(
            OpenFile{state,
                     std::move(*file),
                     path,
                     state.life,
                     nullptr,
                     SQLITE_LOCK_NONE,
                     name_is_durable,
                     is_temporary || (flags & SQLITE_OPEN_DELETEONCLOSE) != 0,
                     {},
                     {}});
        {
            const MutexLock lock(state.mutex);
            auto& slot = state.shared[path];
            opened->shared = slot.lock();
            if (!opened->shared) slot = opened->shared = std::make_shared<Shared>();
        }
        reinterpret_cast<Handle*>(into)->opened = opened.release();
        into->pMethods = methods();
        if (out != nullptr) *out = flags;
        return SQLITE_OK;
    }

    static int close(sqlite3_file* file) {
        OpenFile* const opened = &file_of(file);
        auto& state = opened->state;
        unlock(file, SQLITE_LOCK_NONE);
        shm_unmap(file, 0);
        if (opened->delete_on_close && !opened->is_dead()) {
            (void)state.env.files.remove(opened->path);
        }
        const MutexLock lock(state.mutex);
        delete opened;
        return SQLITE_OK;
    }

    static int read(sqlite3_file* file, void* into, int size, sqlite3_int64 offset) {
        OpenFile& opened = file_of(file);
        if (opened.is_dead()) return SQLITE_IOERR_READ;
        const auto count = static_cast<std::size_t>(size);
        const auto got = opened.file->read(static_cast<std::uint64_t>(offset),
                                           {static_cast<std::byte*>(into), count});
        if (!got) return SQLITE_IOERR_READ;
        if (*got == count) return SQLITE_OK;
        std::memset(static_cast<char*>(into) + *got, 0, count - *got);
        return SQLITE_IOERR_SHORT_READ;
    }

    static int write(sqlite3_file* file, const void* from, int size, sqlite3_int64 offset) {
        OpenFile& opened = file_of(file);
        if (opened.is_dead()) return SQLITE_IOERR_WRITE;
        const Bytes bytes{static_cast<const std::byte*>(from), static_cast<std::size_t>(size)};
        const auto done = opened.file->write(static_cast<std::uint64_t>(offset), bytes);
        return done ? SQLITE_OK : failed(done.error(), SQLITE_IOERR_WRITE);
    }

    static int truncate(sqlite3_file* file, sqlite3_int64 size) {
        OpenFile& opened = file_of(file);
        if (opened.is_dead()) return SQLITE_IOERR_TRUNCATE;
        const auto done = opened.file->truncate(static_cast<std::uint64_t>(size));
        return done ? SQLITE_OK : SQLITE_IOERR_TRUNCATE;
    }

    static int sync(sqlite3_file* file, int) {
        OpenFile& opened = file_of(file);
        if (opened.is_dead() || !opened.file->sync()) return SQLITE_IOERR_FSYNC;
        if (opened.name_is_durable) return SQLITE_OK;
        const auto done = opened.state.env.files.sync_directory(parent_path(opened.path));
        if (!done) return SQLITE_IOERR_DIR_FSYNC;
        opened.name_is_durable = true;
        return SQLITE_OK;
    }

    static int file_size(sqlite3_file* file, sqlite3_int64* size) {
        OpenFile& opened = file_of(file);
        if (opened.is_dead()) return SQLITE_IOERR_FSTAT;
        const auto found = opened.file->size();
        if (!found) return SQLITE_IOERR_FSTAT;
        *size = static_cast<sqlite3_int64>(*found);
        return SQLITE_OK;
    }

    static bool others(const OpenFile& opened, const void* holder) {
        return holder != nullptr && holder != &opened;
    }

    static int lock(sqlite3_file* file, int level) {
        OpenFile& opened = file_of(file);
        if (opened.is_dead()) return SQLITE_IOERR_LOCK;
        if (opened.level >= level) return SQLITE_OK;
        const MutexLock held(opened.state.mutex);
        Shared& shared = *opened.shared;
        if (others(opened, shared.exclusive)) return SQLITE_BUSY;
        if (level == SQLITE_LOCK_SHARED) {
            if (others(opened, shared.pending)) return SQLITE_BUSY;
            ++shared.readers;
        } else if (level == SQLITE_LOCK_RESERVED) {
            if (others(opened, shared.reserved)) return SQLITE_BUSY;
            shared.reserved = &opened;
        } else {
            if (others(opened, shared.reserved) || others(opened, shared.pending)) {
                return SQLITE_BUSY;
            }
            shared.pending = &opened;
            opened.level = std::max(opened.level, SQLITE_LOCK_PENDING);
            if (shared.readers > 1) return SQLITE_BUSY;
            shared.exclusive = &opened;
        }
        opened.level = level;
        return SQLITE_OK;
    }

    static int unlock(sqlite3_file* file, int level) {
        OpenFile& opened = file_of(file);
        const MutexLock held(opened.state.mutex);
        Shared& shared = *opened.shared;
        if (opened.level <= level) return SQLITE_OK;
        for (const void** holder : {&shared.reserved, &shared.pending, &shared.exclusive}) {
            if (*holder == &opened) *holder = nullptr;
        }
        if (level == SQLITE_LOCK_NONE) --shared.readers;
        opened.level = level;
        return SQLITE_OK;
    }

    static int check_reserved(sqlite3_file* file, int* is_reserved) {
        OpenFile& opened = file_of(file);
        const MutexLock held(opened.state.mutex);
        *is_reserved = opened.shared->reserved != nullptr || opened.shared->exclusive != nullptr;
        return SQLITE_OK;
    }

    static int shm_map(sqlite3_file* file, int region, int size, int extend,
                       void volatile** mapped) {
        OpenFile& opened = file_of(file);
        *mapped = nullptr;
        if (opened.is_dead()) return SQLITE_IOERR_SHMMAP;
        const MutexLock held(opened.state.mutex);
        auto& regions = opened.shared->regions;
        const auto index = static_cast<std::size_t>(region);
        if (index >= regions.size()) {
            if (extend == 0) return SQLITE_OK;
            while (regions.size() <= index) {
                regions.push_back(std::make_unique<std::byte[]>(static_cast<std::size_t>(size)));
            }
        }
        *mapped = regions[index].get();
        return SQLITE_OK;
    }

    static int shm_lock(sqlite3_file* file, int offset, int count, int flags) {
        OpenFile& opened = file_of(file);
        const bool locks = (flags & SQLITE_SHM_LOCK) != 0;
        if (locks && opened.is_dead()) return SQLITE_IOERR_SHMLOCK;
        const MutexLock held(opened.state.mutex);
        Shared& shared = *opened.shared;
        const bool exclusive = (flags & SQLITE_SHM_EXCLUSIVE) != 0;
        const auto first = static_cast<std::size_t>(offset);
        const auto end = first + static_cast<std::size_t>(count);
        for (std::size_t i = first; locks && i < end; ++i) {
            if (others(opened, shared.shm_owner[i])) return SQLITE_BUSY;
            const int readers = shared.shm_readers[i] - (opened.shm_shared[i] ? 1 : 0);
            if (exclusive && readers > 0) return SQLITE_BUSY;
        }
        for (std::size_t i = first; i < end; ++i) {
            if (exclusive) {
                opened.shm_exclusive[i] = locks;
                shared.shm_owner[i] = locks ? &opened : nullptr;
            } else if (opened.shm_shared[i] != locks) {
                opened.shm_shared[i] = locks;
                shared.shm_readers[i] += locks ? 1 : -1;
            }
        }
        return SQLITE_OK;
    }

    static void shm_barrier(sqlite3_file* file) {
        const MutexLock held(file_of(file).state.mutex);
        std::atomic_thread_fence(std::memory_order_seq_cst);
    }

    static int shm_unmap(sqlite3_file* file, int drop) {
        OpenFile& opened = file_of(file);
        const MutexLock held(opened.state.mutex);
        Shared& shared = *opened.shared;
        for (std::size_t i = 0; i < SQLITE_SHM_NLOCK; ++i) {
            if (opened.shm_shared[i]) --shared.shm_readers[i];
            if (opened.shm_exclusive[i]) shared.shm_owner[i] = nullptr;
        }
        opened.shm_shared = {};
        opened.shm_exclusive = {};
        // Asked for by the last connection only, when it has removed the WAL.
        if (drop != 0) shared.regions.clear();
        return SQLITE_OK;
    }

    static int file_control(sqlite3_file*, int, void*) { return SQLITE_NOTFOUND; }
    static int sector_size(sqlite3_file*) { return kSectorSize; }
    static int characteristics(sqlite3_file*) { return SQLITE_IOCAP_POWERSAFE_OVERWRITE; }

    static const sqlite3_io_methods* methods() {
        static const sqlite3_io_methods all = {2,
                                               &close,
                                               &read,
                                               &write,
                                               &truncate,
                                               &sync,
                                               &file_size,
                                               &lock,
                                               &unlock,
                                               &check_reserved,
                                               &file_control,
                                               &sector_size,
                                               &characteristics,
                                               &shm_map,
                                               &shm_lock,
                                               &shm_barrier,
                                               &shm_unmap,
                                               nullptr,
                                               nullptr};
        return &all;
    }

    static int remove(sqlite3_vfs* vfs, const char* name, int sync_directory) {
        FileSystem& files = state_of(vfs).env.files;
        if (!files.exists(name)) return SQLITE_IOERR_DELETE_NOENT;
        if (!files.remove(name)) return SQLITE_IOERR_DELETE;
        if (sync_directory == 0) return SQLITE_OK;
        return files.sync_directory(parent_path(name)) ? SQLITE_OK : SQLITE_IOERR_DIR_FSYNC;
    }

    static int access(sqlite3_vfs* vfs, const char* name, int, int* is_there) {
        FileSystem& files = state_of(vfs).env.files;
        *is_there = 0;
        if (!files.exists(name)) return SQLITE_OK;
        // An empty file is as none, as SQLite's own unix VFS has it.
        const auto file = files.open(name, OpenMode::read);
        if (file) *is_there = (*file)->size() && (*file)->size().value() > 0;
        return SQLITE_OK;
    }

    static int full_path(sqlite3_vfs*, const char* name, int size, char* into) {
        if (std::strlen(name) >= static_cast<std::size_t>(size)) return SQLITE_CANTOPEN;
        std::strcpy(into, name);
        return SQLITE_OK;
    }

    static int randomness(sqlite3_vfs* vfs, int size, char* into) {
        Random& random = state_of(vfs).env.random;
        for (int i = 0; i < size; ++i) into[i] = static_cast<char>(random.next());
        return size;
    }

    static int sleep(sqlite3_vfs* vfs, int microseconds) {
        Env& env = state_of(vfs).env;
        const auto wake = env.executor.make_wake();
        wake->wait_until(env.clock.mono() + std::chrono::microseconds(microseconds));
        return microseconds;
    }

    static int current_time_ms(sqlite3_vfs* vfs, sqlite3_int64* now) {
        *now = kJulianOffsetMs + unix_ms(state_of(vfs).env.clock.wall());
        return SQLITE_OK;
    }

    static int current_time(sqlite3_vfs* vfs, double* days) {
        sqlite3_int64 now = 0;
        current_time_ms(vfs, &now);
        *days = static_cast<double>(now) / 86'400'000.0;
        return SQLITE_OK;
    }
};

}  // namespace

SimVfs::SimVfs(std::string name, Env& env) : state_(std::make_unique<State>(std::move(name), env)) {
    using All = Calls<State>;
    sqlite3_vfs& vfs = state_->vfs;
    vfs.iVersion = 2;
    vfs.szOsFile = sizeof(All::Handle);
    vfs.mxPathname = kLongestPath;
    vfs.zName = state_->name.c_str();
    vfs.pAppData = state_.get();
    vfs.xOpen = &All::open;
    vfs.xDelete = &All::remove;
    vfs.xAccess = &All::access;
    vfs.xFullPathname = &All::full_path;
    vfs.xRandomness = &All::randomness;
    vfs.xSleep = &All::sleep;
    vfs.xCurrentTime = &All::current_time;
    vfs.xCurrentTimeInt64 = &All::current_time_ms;
    PENSTOCK_CHECK(sqlite3_vfs_register(&vfs, 0) == SQLITE_OK);
}

SimVfs::~SimVfs() {
    sqlite3_vfs_unregister(&state_->vfs);
}

const std::string& SimVfs::name() const {
    return state_->name;
}

void SimVfs::crash() {
    const MutexLock lock(state_->mutex);
    ++state_->life;
    state_->shared.clear();
}

}  // namespace penstock::test
