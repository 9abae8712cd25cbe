"""Sample data: people, teams and two years of their life, for everybody who tries the service or its dashboards."""
