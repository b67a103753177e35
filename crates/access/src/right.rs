//! What can be allowed, and of which kind of thing.

/// What a right is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A topic.
    Topic,
    /// A group of consumers.
    Group,
    /// A subject of the registry.
    Subject,
    /// The cluster or the registry as a whole.
    Whole,
}

impl Kind {
    /// As it stands before a name.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Topic => "topic",
            Kind::Group => "group",
            Kind::Subject => "subject",
            Kind::Whole => "",
        }
    }

    /// The list of a rule.
    pub(crate) fn list(self) -> &'static str {
        match self {
            Kind::Topic => "topics",
            Kind::Group => "groups",
            Kind::Subject => "subjects",
            Kind::Whole => "",
        }
    }
}

macro_rules! rights {
    ($($(#[$about:meta])* $right:ident $name:literal $kind:ident $phrase:literal $implies:expr;)*) => {
        /// What a rule may allow.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Right {
            $($(#[$about])* $right,)*
        }

        impl Right {
            /// All of them.
            pub const ALL: &'static [Right] = &[$(Right::$right),*];

            /// Its word in a rule.
            pub fn name(self) -> &'static str {
                match self { $(Right::$right => $name),* }
            }

            /// What it is about.
            pub fn kind(self) -> Kind {
                match self { $(Right::$right => Kind::$kind),* }
            }

            /// What who has it may do, for a sentence that goes on with the thing.
            pub(crate) fn phrase(self) -> &'static str {
                match self { $(Right::$right => $phrase),* }
            }

            /// What it implies.
            fn implied(self) -> Option<Right> {
                match self { $(Right::$right => $implies),* }
            }
        }
    };
}

rights! {
    /// See it, its partitions, offsets, settings and replicas.
    Describe "describe" Topic "describe" None;
    /// Append records.
    Produce "produce" Topic "produce to" Some(Right::Describe);
    /// Read, assign, subscribe, commit.
    Consume "consume" Topic "consume from" Some(Right::Describe);
    /// Create it within limits.
    Create "create" Topic "create" Some(Right::Describe);
    /// Change settings within limits, add partitions.
    Alter "alter" Topic "alter" Some(Right::Describe);
    /// Delete it, or records of it.
    Delete "delete" Topic "delete" Some(Right::Describe);
    /// See group, members and lags.
    Watch "watch" Group "watch" None;
    /// Make instances in it, commit, reset and delete its offsets.
    Join "join" Group "join" Some(Right::Watch);
    /// Texts, versions, config and mode, and compatibility tests.
    Read "read" Subject "read" None;
    /// New versions and tags.
    Register "register" Subject "register schemas under" Some(Right::Read);
    /// Level and mode.
    Configure "configure" Subject "configure" Some(Right::Read);
    /// Delete, also for good.
    Remove "remove" Subject "remove" Some(Right::Read);
    /// Settings of brokers and the cluster.
    Settings "settings" Whole "read the settings of brokers" None;
    /// Change them.
    ChangeSettings "change-settings" Whole "change the settings of brokers" Some(Right::Settings);
    /// Kafka's ACLs.
    Acls "acls" Whole "read ACLs" None;
    /// Change them.
    ChangeAcls "change-acls" Whole "change ACLs" Some(Right::Acls);
    /// Level and mode of the whole registry, contexts.
    Govern "govern" Whole "change the level, mode and contexts of the whole registry" None;
    /// Ids and versions of one's own choice, mode IMPORT.
    Import "import" Whole "choose ids and versions of schemas" None;
}

impl Right {
    /// By its word in a rule.
    pub fn parse(name: &str) -> Option<Right> {
        Right::ALL.iter().copied().find(|right| right.name() == name)
    }

    /// Whether who has this one has `other`.
    pub fn includes(self, other: Right) -> bool {
        self == other || self.implied() == Some(other)
    }
}
