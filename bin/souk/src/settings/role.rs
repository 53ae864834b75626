//! What a command is to the settings: it decides which of them are read, and which can contradict each other.

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// `souk up`: every service in one process.
    Up,
    /// `souk up --monolith`: every service on one port.
    Monolith,
    /// `souk api`.
    Api,
    /// `souk notifications`.
    Notifications,
    /// `souk analytics`.
    Analytics,
    /// `souk web`.
    Web,
    /// What looks at the stores themselves, such as `souk audit`.
    Stores,
    /// `souk migrate`, which looks at the stores, too, and writes to the catalog.
    Migrate,
    /// `souk move`, which looks at the stores of two installations, and writes to those of one.
    Move,
    /// What talks to services that run elsewhere, such as `souk load`.
    Clients,
    /// `souk config`, which shows all and judges no combination.
    Config,
}

impl Role {
    /// Returns the role under which the table names it.
    pub fn reader(self) -> Self {
        match self {
            Self::Monolith => Self::Up,
            Self::Migrate | Self::Move => Self::Stores,
            role => role,
        }
    }

    /// Returns how people call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Up | Self::Monolith => "up",
            Self::Api => "api",
            Self::Notifications => "notifications",
            Self::Analytics => "analytics",
            Self::Web => "web",
            Self::Stores => "audit",
            Self::Migrate => "migrate",
            Self::Move => "move",
            Self::Clients => "load",
            Self::Config => "config",
        }
    }

    /// Tells whether the role runs a service on its own that needs servers; the dashboard needs none.
    pub fn is_service(self) -> bool {
        matches!(self, Self::Api | Self::Notifications | Self::Analytics)
    }
}
