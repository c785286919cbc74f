"""Rules of the platform: disruption, upgrades, guard rails."""
